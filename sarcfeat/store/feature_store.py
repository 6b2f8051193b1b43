"""The feature store: one folder, one object to hold."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from sarcfeat.exceptions import StoreError
from sarcfeat.store.bags import BagsIn, BagsOut
from sarcfeat.store.connection import Connection
from sarcfeat.store.dicom_intake import FromDicom
from sarcfeat.store.exchange import Exchange
from sarcfeat.store.history import History
from sarcfeat.store.inward import Inward
from sarcfeat.store.opening import open_for_writing
from sarcfeat.store.outward import COUNTS, Outward
from sarcfeat.store.place import check_place, make_folder, refuse_network
from sarcfeat.store.settings import write_settings
from sarcfeat.store.sharing import Sharing
from sarcfeat.store.slides_in import SlidesIn, SlidesOut
from sarcfeat.store.snapshots import open_snapshot
from sarcfeat.store.upkeep import Upkeep

__all__ = ["FeatureStore"]

Path_ = str | PathLike[str]
FOLDERS = ("arrays", "inbox", "quarantine", "readings", "snapshots")
HELD = (*FOLDERS, "backups", "commits.log", "writer.json")
NO_ENCRYPTION = (
    "This build of DuckDB cannot write an encrypted catalogue (it needs the httpfs "
    "extension), so encryption_key is refused rather than ignored. Keep the store on "
    "an encrypted disk, and nothing in it that names a patient."
)


class FeatureStore(
    FromDicom,
    Inward,
    History,
    SlidesIn,
    SlidesOut,
    BagsIn,
    BagsOut,
    Upkeep,
    Sharing,
    Outward,
    Exchange,
):
    """Images, masks and clinical tables in; named, versioned features out.

    A store is a folder: ``catalog.duckdb`` holds everything but bags of tiles.
    Identity is content: an image, a mask, an encoder with its parameters and a unit
    of work are named by the hash of what they are, so nothing is computed twice and
    nothing is overwritten. One process writes at a time.

    Parameters
    ----------
    path : str or path
        The folder; created when there is none.
    timeout : float
        Seconds to wait for another process that has the store open.
    read_only : bool
        Open the newest copy that ``store.publish()`` wrote, while another process
        writes; nothing can be changed.
    network : bool
        Write although the folder lies on a network share (NFS, SMB, sshfs). Only
        where no other computer ever will: locks do not reach it.
    encryption_key : None
        Always refused: see the message.

    Raises
    ------
    StoreBusy
        Another process has the store open; it is named.
    StoreError
        The folder holds something else, a newer sarcfeat wrote it, or it lies on a
        network share.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> folder = tempfile.TemporaryDirectory()
    >>> clinical = pd.DataFrame(
    ...     {"site": ["Bordeaux", "Lyon"], "age": [61, 48], "days": [900, 365],
    ...      "metastasis": [0, 1]}, index=["P1", "P2"]
    ... )
    >>> with FeatureStore(folder.name) as store:
    ...     store.add_patients(clinical, units={"age": "years"})
    ...     store.add_outcome("mfs", time="days", event="metastasis")
    ...     m = store.matrix(None, features="clinical", outcome="mfs")
    <FeatureStore ...: 2 patients, 0 images, 0 masks, 0 units>
    <FeatureStore ...: 2 patients, 0 images, 0 masks, 0 units>
    >>> m.X
                 site  clinical.age
    patient
    P1       Bordeaux          61.0
    P2           Lyon          48.0
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: Path_,
        *,
        timeout: float = 10.0,
        read_only: bool = False,
        network: bool = False,
        encryption_key: str | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self._db: Connection | None = None
        if encryption_key is not None:
            raise StoreError(NO_ENCRYPTION)
        if read_only:
            self._db = open_snapshot(self.path)
            return
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file; a store is a folder.")
        if not network:
            refuse_network(self.path)
        make_folder(self.path)
        _refuse_other_folder(self.path)
        if not (self.path / "catalog.duckdb").exists():
            check_place(self.path)
        for name in FOLDERS:
            (self.path / name).mkdir(exist_ok=True)
        self._db = open_for_writing(self.path, timeout)
        write_settings(self.path, self._open)

    def close(self) -> None:
        """Let go of the store; the next process may open it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._db is None:
            return f"<FeatureStore {self.path}: closed>"
        counted = ("patients", "images", "masks", "units")
        counts = ", ".join(f"{self._db.one(COUNTS[n])[0]} {n}" for n in counted)
        copy = f", {self._db.path.name}" if self._db.read_only else ""
        return f"<FeatureStore {self.path}{copy}: {counts}>"


def _refuse_other_folder(path: Path) -> None:
    """Refuse to fill a folder of something else with a store."""
    if (path / "catalog.duckdb").exists():
        return
    strangers = [entry.name for entry in path.iterdir() if entry.name not in HELD]
    if strangers:
        raise StoreError(
            f"{path} is not a feature store and is not empty (it holds "
            f"{sorted(strangers)[0]}). Give a new folder."
        )
