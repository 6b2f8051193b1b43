"""The main job, end to end, on simulated sarcomas."""

import json
import shutil

import pandas as pd
import pytest

from sarcfeat.cli.demo import run_demo
from tests.browser import opened

pytestmark = [
    pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.SarcfeatWarning"),
]


def run(cohort, folder, lines=None):
    return run_demo(
        str(cohort),
        store_path=folder / "store",
        out=folder / "out",
        quick=True,
        params="demo.yaml",
        trials=1,
        n_jobs=2,
        progress=False,
        say=(lines if lines is not None else []).append,
    )


@pytest.fixture(scope="module")
def first(cohort_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return run(cohort_folder, folder), folder


def test_results_say_who_what_and_how_well(first):
    result, _ = first
    read = json.loads((result.folder / "results.json").read_text())
    assert read["cohort"]["n"] == 40
    assert read["cohort"]["events"] >= 10
    assert read["cohort"]["dropped"] == []
    assert read["units"] == {"encoded": 80, "skipped": 0, "failed": 0}
    assert [m["name"] for m in read["models"]] == ["clinical", "radiomics", "combined"]
    for model in read["models"]:
        assert 0.2 < model["ci_low"] <= model["c_index"] <= model["ci_high"] < 1
        assert model["events_per_variable"] > 0
        assert 0 < model["ibs_low"] < model["ibs"] < model["ibs_high"] < 0.4
        assert 0.2 < model["tdauc_low"] <= model["tdauc"] <= model["tdauc_high"] <= 1
        assert model["calibration_slope_low"] < model["calibration_slope"] < 5
        assert model["horizon"] in (365, 730)
    assert {(d["a"], d["b"]) for d in read["differences"]} == {
        ("combined", "clinical"),
        ("combined", "radiomics"),
        ("radiomics", "clinical"),
    }
    assert result.failed == 0


def test_every_c_index_can_be_recomputed_from_the_kept_predictions(first):
    result, _ = first
    kept = pd.read_csv(result.folder / "predictions.csv")
    assert (kept.groupby(["model", "repeat"]).size() == 40).all()
    assert kept["risk"].notna().all()
    survival = kept.filter(like="survival_").to_numpy()
    assert survival.shape[1] == 20
    assert ((survival >= 0) & (survival <= 1)).all()


def test_a_second_run_encodes_nothing_and_says_so(first, cohort_folder):
    result, folder = first
    lines = []
    again = run(cohort_folder, folder, lines)
    assert again.results["units"] == {"encoded": 0, "skipped": 80, "failed": 0}
    assert any("encoded 0 units, 80 already there" in line for line in lines)
    assert again.results["matrix_id"] == result.results["matrix_id"]
    for old, new in zip(result.results["models"], again.results["models"], strict=True):
        assert old["c_index"] == new["c_index"]


@pytest.mark.browser
def test_report_opens_with_every_picture(first, tmp_path):
    result, _ = first
    page = (result.folder / "report.html").read_text("utf-8")
    assert page.count("<img ") >= 4
    probe = (
        "<script>addEventListener('load', () => {"
        "const all = [...document.images];"
        "const bad = all.filter(i => !i.complete || i.naturalWidth < 50);"
        "document.body.dataset.pictures = all.length;"
        "document.body.dataset.missing = bad.length;});</script></body>"
    )
    copy = tmp_path / "report.html"
    copy.write_text(page.replace("</body>", probe), "utf-8")
    done = opened(copy)
    assert f'data-pictures="{page.count("<img ")}"' in done.stdout
    assert 'data-missing="0"' in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.slow
def test_three_bad_patients_fail_by_name_and_the_others_are_encoded(
    broken_cohort, cohort_folder, tmp_path
):
    cohort, bad = broken_cohort
    lines = []
    result = run(cohort, tmp_path, lines)
    said = "\n".join(lines)
    for patient, code in bad.items():
        line = next(x for x in said.splitlines() if patient in x and code in x)
        assert "t1.nii.gz" in line
    assert result.failed >= 3
    assert result.results["units"]["encoded"] == 2 * 37
    assert {row["patient"] for row in result.results["cohort"]["dropped"]} == set(bad)
    assert result.results["cohort"]["n"] == 37

    for patient in bad:
        for part in ("images", "masks/A", "masks/B"):
            source = cohort_folder / part / patient / "t1.nii.gz"
            shutil.copy(source, cohort / part / patient / "t1.nii.gz")
    repaired = run(cohort, tmp_path)
    assert repaired.results["units"] == {"encoded": 6, "skipped": 74, "failed": 0}
    assert repaired.results["cohort"]["n"] == 40
