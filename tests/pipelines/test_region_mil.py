"""Michot 2025 from slides to tables, and the door to all systems."""

import json
import shutil

import pandas as pd
import pytest

from pipelines.__main__ import SYSTEMS, main

pytest.importorskip("torch", reason="needs the extra deep")
pytest.importorskip("openslide", reason="needs the extra wsi")

from pipelines import region_mil
from pipelines.patients import COHORTS
from pipelines.study import Options, choose_cohort, fill, parse
from sarcfeat.datasets import make_cohort, make_slides
from sarcfeat.exceptions import InvalidInput


def test_the_systems_are_listed_and_unknown_ones_refused(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SYSTEMS)
    assert "not built yet" not in lines[0]
    assert main(["region_mill"]) == 2
    assert "No system 'region_mill'. Known: region_mil" in capsys.readouterr().err
    assert main(["dlr_nomogram"]) == 1
    assert "not built in this version" in capsys.readouterr().err


def test_options_and_a_cohort_that_is_none(tmp_path, capsys):
    found = parse("region_mil", ["--quick", "--seed", "3", "--in-sample"])
    assert (found.stain, parse("region_mil", ["--stain", "reinhard"]).stain) == (
        None,
        "reinhard",
    )
    assert (found.quick, found.seed, found.in_sample) == (True, 3, True)
    assert str(found.out) == "reports/region_mil"
    assert main(["region_mil", "--cohort", "sts", "--out", str(tmp_path)]) == 2
    assert "No cohort 'sts' for region_mil" in capsys.readouterr().err
    assert choose_cohort(found, lambda folder: folder.name) == "cohorts"


def test_a_cohort_without_slides_is_refused(tmp_path):
    cohort = make_cohort(6, sites=1, readers=1, seed=0, root=tmp_path / "c")
    with pytest.raises(InvalidInput, match=r"has no slides, which this system"):
        fill(None, cohort, needs="slides")


@pytest.mark.slow
def test_the_whole_system_on_a_folder_of_slides(tmp_path):
    make_slides(50, 0, tmp_path / "cohort", slides=1, size=1024, n_jobs=2)
    shutil.rmtree(tmp_path / "cohort" / "slides" / "SIM0001")
    slide = next((tmp_path / "cohort" / "slides" / "SIM0002").glob("*.tif"))
    slide.write_bytes(slide.read_bytes()[:3000])
    drawn = (tmp_path / "cohort" / "slides" / "SIM0003").iterdir()
    next(path for path in drawn if path.suffix != ".tif").unlink()
    table = pd.read_csv(tmp_path / "cohort" / "outcomes.csv")
    table[table["patient"] != "SIM0004"].to_csv(
        tmp_path / "cohort" / "outcomes.csv", index=False
    )
    said = []
    options = Options(
        "region_mil",
        cohort=str(tmp_path / "cohort"),
        quick=True,
        out=tmp_path / "out",
        store=tmp_path / "store",
    )
    results = region_mil.run(options, said.append)
    assert results["units"] == {"encoded": 48, "skipped": 0, "failed": 2}
    held = json.loads((tmp_path / "out" / "results.json").read_text())
    gone = {row["patient"]: row["reason"] for row in held["cohort"]["dropped"]}
    assert list(gone) == ["SIM0001", "SIM0002", "SIM0003", "SIM0004"]
    told = ("no slide", "SIM0002_S1.tif", "no annotation", "no mfs")
    for reason, words in zip(gone.values(), told, strict=True):
        assert words in reason
    assert held["cohort"]["n"] == 46
    printed = "\n".join(said)
    assert "Left out, 4 patients: SIM0001, SIM0002, SIM0003, SIM0004" in printed
    names = [model["name"] for model in held["models"]]
    for score in (*region_mil.SCORES, "grade II-III"):
        assert f"{score}, external validation" in names
    assert {one["cohort"] for one in held["differences"]} == set(COHORTS)
    assert len(held["differences"]) == 3 * 15
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for heading in (
        "Table 1",
        "Table 2",
        "Table 3",
        "Grade II",
        "Calibration",
        "weighted kappa",
    ):
        assert heading in page
    assert "random" in page  # the net has learned nothing, and the page says so
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", index_col=0)
    train = scores[scores["cohort"] == "training"]
    for score in region_mil.SCORES:
        assert train[score].min() == -1
        assert train[score].max() == 1
        high = train[score] >= train[score].median()
        assert (train[f"{score} group"] == "high").equals(high)
    assert page.count("SIM0003") >= 2  # named at the top, and with the reason
    assert page.count("out of fold") >= 15  # below every table of scores
    form = pd.read_csv(next((tmp_path / "out" / "review").glob("*form*.csv")))
    assert {"tile", "cellularity", "vessels"} <= set(form.columns)
    assert "patient" not in form.columns
    for name in (
        "attention_highest",
        "top_and_bottom_tiles",
        "curves_grade",
        "os_scores",
    ):
        assert (tmp_path / "out" / "figures" / f"{name}.png").stat().st_size > 5000
    again = region_mil.run(options, said.append)
    assert again["units"] == {"encoded": 0, "skipped": 48, "failed": 2}
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["models"] == held["models"]
    assert written["differences"] == held["differences"]
