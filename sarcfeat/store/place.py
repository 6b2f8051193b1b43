"""Where a store lies: disks that lock, folders that sync, rights to write."""

from __future__ import annotations

import getpass
import os
import warnings
from pathlib import Path

from sarcfeat.exceptions import SharedFolder, StoreError

__all__ = [
    "check_place",
    "is_network",
    "make_folder",
    "refuse_network",
    "user_name",
]

# Shares whose locks do not reach other computers, or reach them late.
REFUSED = frozenset(
    {
        *("afs", "cifs", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs"),
        *("fuse.gcsfuse", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs"),
    }
)
# Disks of clusters and of virtual machines, which do lock when set up to.
NETWORK = REFUSED | {
    *("9p", "beegfs", "ceph", "glusterfs", "gpfs", "lustre"),
    *("fuse.ceph", "fuse.glusterfs"),
}
CLOUD = (
    "Dropbox",
    "Google Drive",
    "GoogleDrive",
    "iCloud Drive",
    "Mobile Documents",
    "Nextcloud",
    "OneDrive",
    "ownCloud",
    "pCloudDrive",
)
MOUNTS = Path("/proc/mounts")


def mounts_text() -> str:
    """Return what is mounted where; empty where the system does not say."""
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _file_system(path: Path, mounts: str) -> tuple[str, str]:
    """Return the kind and the root of the file system that holds a path."""
    best = ("", "")
    whole = path.resolve()
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        root = fields[1].replace("\\040", " ").replace("\\011", "\t")
        # The last line wins: it lies on top.
        if whole.is_relative_to(root) and len(root) >= len(best[1]):
            best = (fields[2], root)
    return best


def is_network(path: Path) -> bool:
    """Whether a path lies on a network file system, whose locks cannot be trusted."""
    return _file_system(path, mounts_text())[0] in NETWORK


def refuse_network(path: Path) -> None:
    """Refuse to write on a share (NFS, SMB, sshfs), whose locks cannot be trusted.

    Raises
    ------
    StoreError
        The path, the kind of share and where it is mounted are named.
    """
    kind, root = _file_system(path, mounts_text())
    if kind in REFUSED:
        raise StoreError(
            f"{path} lies on a network share ({kind}, mounted at {root}), whose locks "
            "cannot be trusted: two computers could write at once and tear the "
            "catalogue, so it is not opened for writing. Keep the store on a local "
            "disk and share what store.publish() writes, which opens from a share with "
            "read_only=True. If no other computer will ever write to it: "
            "FeatureStore(..., network=True)."
        )


def check_place(path: Path) -> None:
    """Warn of a place where a store can be torn: a network disk, a synced folder."""
    kind, root = _file_system(path, mounts_text())
    if kind in NETWORK:
        warnings.warn(
            f"{path} lies on a network file system ({kind}, mounted at {root}), whose "
            "locks cannot be trusted: write it from one computer only. Better keep the "
            "store on a local disk and share what store.publish() writes.",
            SharedFolder,
            stacklevel=4,
        )
    synced = [part for part in path.resolve().parts if part.startswith(CLOUD)]
    if synced:
        warnings.warn(
            f"{path} lies in the synchronised folder {synced[0]!r}, which may copy a "
            "catalogue while it is being written. Keep the store on a local disk and "
            "share what store.publish() writes.",
            SharedFolder,
            stacklevel=4,
        )


def make_folder(path: Path) -> None:
    """Create a store's folder, or say who may not write where."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error
    if not os.access(path, os.W_OK | os.X_OK):
        read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        raise _not_writable(
            path, "Read-only file system" if read_only else "Permission denied"
        )


def _not_writable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} cannot be written by user {user_name()}: {why}. Give a folder that "
        "you may write, or open a published copy with FeatureStore(..., "
        "read_only=True)."
    )


def user_name() -> str:
    """Return the name of the user, or the number where there is no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
