"""Disks that are full, read-only, shared or synchronised."""

import os
import shutil
import subprocess
import warnings

import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import DiskFull, SharedFolder, StoreError
from sarcfeat.store import inbox, place
from tests.store.fakes import FakeEncoder, add_files, clinical, patients, write_patient


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes, for whoever may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if os.getuid() or not shutil.which("mount"):
        pytest.skip("mounting a small disk takes root and mount")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def remount(disk, options):
    command = ["mount", "-o", f"remount,{options}", str(disk)]
    subprocess.run(command, check=True, capture_output=True)


def test_fault_088_full_disk_loses_nothing_and_resumes(small_disk, tmp_path, capfd):
    for patient in patients(40):
        write_patient(tmp_path, patient)
    encoder = FakeEncoder(names=tuple(f"f{i}" for i in range(3000)))
    path = small_disk / "study"
    with FeatureStore(path) as store:
        add_files(store, tmp_path)
        with pytest.raises(DiskFull, match=r"No space left for .*[\d,]+ bytes needed"):
            store.encode(encoder)
        # The store can still be read.
        assert int(store.status().loc["images", "count"]) == 40
        computed = len(list((path / "inbox").glob("*/*.safetensors")))
    with FeatureStore(path) as store:
        assert int(store.status().loc["images", "count"]) == 40
    assert "Finished units wait in" in capfd.readouterr().err
    remount(small_disk, "size=60m")
    with FeatureStore(path) as store:
        held = int(store.status().loc["units", "count"])
        assert held >= computed > 0
        report = store.encode(encoder)
        assert (report.encoded, report.skipped) == (40 - held, held)


def test_fault_088_full_disk_under_a_fragment_names_the_bytes(study, monkeypatch):
    real = os.fsync

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inbox.os, "fsync", full)
    with pytest.raises(DiskFull, match=r"run.json: [\d,]+ bytes needed, [\d,]+ free"):
        study.encode(FakeEncoder())
    monkeypatch.setattr(inbox.os, "fsync", real)
    assert study.encode(FakeEncoder()).encoded == 12


def test_fault_093_read_only_file_system_names_path_and_user(small_disk):
    path = small_disk / "study"
    with FeatureStore(path) as store:
        store.add_patients(clinical(2))
        store.publish()
    remount(small_disk, "ro")
    with pytest.raises(StoreError, match="Read-only file system") as caught:
        FeatureStore(path)
    assert str(path) in str(caught.value)
    assert f"user {place.user_name()}" in str(caught.value)
    with FeatureStore(path, read_only=True) as store:
        assert int(store.status().loc["patients", "count"]) == 2
    with pytest.raises(StoreError, match="Read-only file system"):
        FeatureStore(small_disk / "new")


def test_fault_093_no_permission_names_path_and_user(tmp_path, monkeypatch):
    def denied(path, mode):
        return False

    monkeypatch.setattr(place.os, "access", denied)
    with pytest.raises(StoreError, match="cannot be written by user") as caught:
        FeatureStore(tmp_path / "study")
    assert str(tmp_path / "study") in str(caught.value)
    assert "Permission denied" in str(caught.value)


def mounted(tmp_path, monkeypatch, kind):
    mounts = f"/dev/a / ext4 rw 0 0\nward:/data {tmp_path} {kind} rw 0 0\n"
    monkeypatch.setattr(place, "mounts_text", lambda: mounts)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_fault_094_no_writer_on_a_network_share(tmp_path, monkeypatch, kind):
    path = tmp_path / "study"
    with FeatureStore(path) as store:
        store.add_patients(clinical(2))
        store.publish()
    mounted(tmp_path, monkeypatch, kind)
    for place_of_it in (path, tmp_path / "new"):
        with pytest.raises(StoreError, match="not opened for writing") as caught:
            FeatureStore(place_of_it)
        assert f"{place_of_it} lies on a network share ({kind}, mounted at " in str(
            caught.value
        )
        assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "new").exists()
    with FeatureStore(path, read_only=True) as store:
        assert int(store.status().loc["patients", "count"]) == 2


def test_fault_094_a_share_that_is_insisted_on_is_warned_of(tmp_path, monkeypatch):
    mounted(tmp_path, monkeypatch, "nfs4")
    with pytest.warns(SharedFolder, match=r"study lies on a network .*\(nfs4"):
        FeatureStore(tmp_path / "study", network=True).close()
    with warnings.catch_warnings():  # once, at create
        warnings.simplefilter("error")
        FeatureStore(tmp_path / "study", network=True).close()


@pytest.mark.parametrize("kind", ["9p", "lustre", "fuse.glusterfs"])
def test_fault_094_cluster_disk_is_warned_of_at_create(tmp_path, monkeypatch, kind):
    mounted(tmp_path, monkeypatch, kind)
    with pytest.warns(SharedFolder, match=rf"study lies on a network .*\({kind}"):
        FeatureStore(tmp_path / "study").close()


def test_fault_094_synchronised_folder_is_warned_of_at_create(tmp_path):
    path = tmp_path / "OneDrive - CHU" / "study"
    with pytest.warns(SharedFolder, match="synchronised folder 'OneDrive - CHU'"):
        FeatureStore(path).close()


def test_fault_094_the_innermost_mount_counts(tmp_path, monkeypatch):
    local = tmp_path / "my data"
    local.mkdir()
    mounts = (
        f"ward:/data {tmp_path} nfs4 rw 0 0\n"
        f"/dev/b {str(local).replace(' ', chr(92) + '040')} ext4 rw 0 0\nrubbish\n"
    )
    monkeypatch.setattr(place, "mounts_text", lambda: mounts)
    assert not place.is_network(local / "study")
    assert place.is_network(tmp_path / "study")


def test_mounts_of_a_system_that_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    assert place.mounts_text() == ""
    assert not place.is_network(tmp_path)
