"""The commands of a store, as somebody at a terminal types them."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from sarcfeat import FeatureStore
from sarcfeat.cli import app
from sarcfeat.io import create_salt
from tests.io.dicom_study import CANARIES, NUMBER, stack, write_slices
from tests.store.fakes import FakeEncoder, add_files, clinical, patients, write_patient

COMMANDS = sorted(get_command(app).commands)
PROMISED = {
    "init", "add-patients", "add-images", "add-masks", "add-outcome", "add-cohort",
    "import", "encode", "status", "matrix", "verify", "explain", "publish", "gc",
    "erase", "sql", "demo",
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def read(*arguments):
    """Run a command with --json and return what it printed."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six patients, two readers; P002 has no mask of reader A."""
    root = tmp_path_factory.mktemp("cli")
    for patient in patients(6):
        write_patient(root, patient, readers=("A", "B"))
    clinical(6).to_csv(root / "patients.csv")
    return root


@pytest.fixture(scope="module")
def study(folder):
    """A store with everything in it, and a matrix of it frozen."""
    with FeatureStore(folder / "study") as store:
        store.add_patients(clinical(6), index_time="surgery", units={"age": "years"})
        store.add_outcome("mfs", time="mfs_days", event="metastasis", competing="death")
        add_files(store, folder, readers=("A", "B"))
        store.add_cohort("all")
        store.encode(FakeEncoder())
    return folder / "study"


def test_promised_commands_are_there_and_every_option_is_explained():
    assert set(COMMANDS) >= PROMISED
    for name in COMMANDS:
        command = get_command(app).commands[name]
        assert command.help, name
        for option in command.params:
            assert option.name == "help" or getattr(option, "help", None), (
                name,
                option.name,
            )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.output


def test_from_nothing_to_a_matrix(folder, tmp_path):
    store = tmp_path / "new"
    steps = [
        ("init", store),
        ("add-patients", store, folder / "patients.csv", "--index-time", "surgery",
         "--role", "death=outcome", "--unit", "age=years"),
        ("add-outcome", store, "mfs", folder / "patients.csv", "--time", "mfs_days",
         "--event", "metastasis", "--competing", "death", "--origin", "surgery"),
        ("add-images", store, folder / "images"),
        ("add-masks", store, folder / "masks_A", "--reader", "A"),
        ("add-cohort", store, "lyon", "--query", "site = 'Lyon'"),
        ("encode", store, "--params", "demo.yaml", "--n-jobs", "1", "--cohort", "lyon"),
    ]  # fmt: skip
    for step in steps:
        done = run(*step)
        assert done.exit_code == 0, done.output
    assert "encoded 3 units" in done.output
    out = tmp_path / "matrix.csv"
    done = run("matrix", store, "lyon", "--features", "radiomics.t1", "--features",
               "clinical.age", "--outcome", "mfs", "--out", out)  # fmt: skip
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out, index_col=0)
    assert table.index.tolist() == ["P002", "P004", "P006"]
    assert "clinical.age" in table.columns


def test_a_failing_file_is_listed_and_the_status_is_1(folder, tmp_path):
    (tmp_path / "images" / "P001").mkdir(parents=True)
    (tmp_path / "images" / "P001" / "T1_image.nii.gz").write_bytes(b"")
    done = run("add-images", tmp_path / "study", tmp_path / "images")
    assert done.exit_code == 1
    assert "InputEmpty" in done.output
    assert "P001" in done.output


def test_rehash_sees_what_size_and_time_hide(folder, tmp_path):
    source = tmp_path / "images"
    image = source / "P001" / "T1_image.nii.gz"
    image.parent.mkdir(parents=True)
    image.write_bytes((folder / "images" / "P001" / "T1_image.nii.gz").read_bytes())
    assert run("add-images", tmp_path / "s", source).exit_code == 0
    before, whole = image.stat(), image.read_bytes()
    image.write_bytes(bytes(len(whole)))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run("add-images", tmp_path / "s", source).exit_code == 0
    done = run("add-images", tmp_path / "s", source, "--rehash")
    assert done.exit_code == 1
    assert "P001" in done.output


def test_an_error_is_one_line_on_stderr_and_the_status_is_2(study, tmp_path):
    done = run("explain", study, "P1", "fake.t1.mean")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: No patient 'P1'.")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    done = run("sql", study, "SELECT nonsense FROM patient")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    done = run("status", tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "No feature store at" in done.stderr
    assert not (tmp_path / "nowhere").exists()
    done = run("add-patients", study, tmp_path / "x.csv", "--unit", "age")
    assert "--unit 'age': expected NAME=UNIT" in done.stderr


def test_the_command_itself_ends_with_these_codes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sarcfeat", "status", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No feature store")
    assert "Traceback" not in done.stderr


def test_status(study):
    assert read("status", study)["patients"] == 6
    assert "units" in run("status", study).output
    assert read("status", study, "--at", "1")["units"] == 0


def test_matrix_twice_and_by_id(study, tmp_path):
    first = read("matrix", study, "all", "--features", "fake.t1", "--outcome", "mfs")
    assert first["patients"] == 6
    assert first["columns"] == ["site", "fake.t1.mean", "fake.t1.sd"]
    again = read("matrix", study, "--id", first["matrix_id"][:10])
    assert again["matrix_id"] == first["matrix_id"]
    other = read("matrix", study, "all", "--features", "fake.t1", "--reader", "B")
    assert read("diff", study, first["matrix_id"], first["matrix_id"]) == []
    assert {"what", "change"} <= set(
        read("diff", study, first["matrix_id"], other["matrix_id"])[0]
    )
    done = run("matrix", study, "all", "--features", "fake.t1", "--out",
               tmp_path / "m.parquet")  # fmt: skip
    assert "6 patients × 3 columns" in done.output
    assert (tmp_path / "m.parquet").exists()
    assert run("matrix", study, "all").exit_code == 2


def test_missing_explain_and_sql(study, tmp_path):
    assert read("missing", study, "all", "--features", "fake.t1") == []
    told = run("missing", study, "all", "--features", "fake.t1").output
    assert "Nobody lacks anything" in told
    chain = read("explain", study, "P001", "fake.t1.mean", "--reader", "B")
    assert chain["chain"]["mask"]["reader"] == "B"
    assert "fake.t1.mean of patient P001" in run(
        "explain", study, "P001", "fake.t1.mean"
    ).output.replace("\n", " ")
    (tmp_path / "q.sql").write_text(
        "SELECT patient_id, NULL AS a, 'NaN'::DOUBLE AS b, now() AS c FROM patient "
        "WHERE patient_id = ?"
    )
    rows = read("sql", study, tmp_path / "q.sql", "--value", "P003")
    assert rows[0]["patient_id"] == "P003"
    assert (rows[0]["a"], rows[0]["b"]) == (None, None)
    assert "[red]" in run("sql", study, "SELECT '[red]x' AS a").output


def test_published_copy_is_read(study):
    done = run("publish", study)
    assert done.exit_code == 0
    assert "snapshots" in done.output
    assert read("status", study, "--published")["patients"] == 6


def test_import(study, tmp_path):
    table = pd.DataFrame({"patient": patients(6), "volume": range(6)})
    table.to_csv(tmp_path / "old.csv", index=False)
    done = run("import", study, tmp_path / "old.csv", "--extractor", "legacy",
               "--sequence", "T1", "--format", "wide", "--reader", "A")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert read("matrix", study, "--features", "legacy.t1")["patients"] == 6


def test_dicom_with_a_new_salt(tmp_path):
    source = write_slices(tmp_path / "in" / "Zzcanary", stack(4))
    salt = tmp_path / "secrets" / "study.salt"
    arguments = ["add-dicom", tmp_path / "study", source, "--salt", salt]
    done = run(*arguments, "--new-salt", "--sequence", "T1")
    assert done.exit_code == 0, done.output
    assert "keep it apart" in done.output
    (tmp_path / "ids.csv").write_text(f"hospital,study\n{NUMBER},S07\n")
    done = run(*arguments, "--patients", tmp_path / "ids.csv", "--sequence", "T1=.*")
    assert done.exit_code == 0, done.output
    rows = read("sql", tmp_path / "study", "SELECT patient_id, phase FROM image")
    assert {row["phase"] for row in rows} == {"T1"}
    assert "S07" in {row["patient_id"] for row in rows}
    assert [word for word in CANARIES if word in done.output] == []
    inside = create_salt(tmp_path / "study" / "x.salt")
    done = run("add-dicom", tmp_path / "study", source, "--salt", inside)
    assert done.exit_code == 2
    assert "lies inside the store" in done.stderr


@pytest.fixture
def scratch(study, tmp_path):
    """A copy of the store that a test may damage."""
    shutil.copytree(study, tmp_path / "study")
    return tmp_path / "study"


def test_verify_finds_a_changed_byte(scratch):
    sound = read("verify", scratch)
    assert sound["ok"]
    assert sound["checked"]["vectors"] >= 12
    assert "no problem" in run("verify", scratch).output
    with FeatureStore(scratch) as store:
        readings = store.readings("fake.t1")
        readings.load()
    path = next((scratch / "readings").iterdir())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = run("verify", scratch, "--json")
    assert done.exit_code == 1
    problems = json.loads(done.stdout)["problems"]
    assert [row["file"] for row in problems] == [str(path)]
    assert "Problems" in run("verify", scratch).output


def test_gc_lists_and_removes(scratch):
    (scratch / "arrays" / "x").mkdir(parents=True)
    orphan = scratch / "arrays" / "x" / "lost.safetensors"
    orphan.write_bytes(b"abc")
    assert [row["file"] for row in read("gc", scratch)] == [str(orphan)]
    assert orphan.exists()
    done = run("gc", scratch, "--remove")
    assert "1 files, 3 bytes removed" in done.output
    assert not orphan.exists()


def test_erase_asks_first(scratch):
    arguments = ("erase", scratch, "P003", "--reason", "withdrawal")
    done = CliRunner().invoke(app, [str(a) for a in arguments], input="n\n")
    assert done.exit_code == 1
    assert read("status", scratch)["patients"] == 6
    gone = read(*arguments, "--yes")
    assert gone["patient"] == "P003"
    assert read("status", scratch)["patients"] == 5
    assert run(*arguments[:2], "P9", "--reason", "x", "--yes").exit_code == 2


def test_relocate_follows_moved_files(scratch, folder, tmp_path):
    shutil.copytree(folder / "masks_A", tmp_path / "moved")
    done = read("relocate", scratch, folder / "masks_A", tmp_path / "moved")
    assert done["moved"] == 6
    assert done["failures"] == []
    (tmp_path / "empty").mkdir()
    assert (
        run("relocate", scratch, folder / "masks_B", tmp_path / "empty").exit_code == 1
    )


def test_bags_are_listed(study):
    assert read("bags", study) == []
