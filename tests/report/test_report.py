import json

import numpy as np
import pandas as pd
import pytest

from sarcfeat.report import (
    Figure,
    Section,
    Table,
    build_results,
    model_rows,
    write_html,
    write_json,
)
from tests.browser import opened

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478"
    "9c63f8cfc0f01f0005000201ff8a1d6f7e0000000049454e44ae426082"
)


def test_results_are_strict_json_with_every_key(tmp_path):
    models = pd.DataFrame({"name": ["clinical"], "c_index": [np.float64(0.61)]})
    results = build_results(
        name="demo",
        cohort={"name": "sts", "n": np.int64(34), "events": 16},
        endpoint="mfs",
        models=models,
        differences=pd.DataFrame({"a": ["x"], "delta": [np.nan]}),
        units={"encoded": 0, "skipped": 104, "failed": 0},
        matrix_id="abc",
        seed=0,
        seconds=12.34,
    )
    text = write_json(results, tmp_path / "deep" / "results.json").read_text()
    read = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert set(read) == {
        *("name", "cohort", "endpoint", "models", "differences", "units"),
        *("matrix_id", "seed", "versions", "seconds"),
    }
    assert set(read["models"][0]) >= {"ibs", "tdauc", "calibration_slope", "how"}
    assert read["models"][0]["c_index"] == 0.61
    assert read["differences"][0]["delta"] is None
    assert read["cohort"]["n"] == 34


def test_measures_become_one_row_a_model_with_their_intervals():
    rows = [
        ("a", "harrell_c", 0.6),
        ("a", "ibs", 0.2),
        ("b", "harrell_c", 0.7),
        ("b", "ibs", np.nan),
    ]
    table = pd.DataFrame(rows, columns=["model", "metric", "value"]).assign(
        ci_low=lambda t: t["value"] - 0.1,
        ci_high=lambda t: t["value"] + 0.1,
        how="5-fold",
        constant_folds=[1, 1, 0, 0],
    )
    found = model_rows(table, at=730.0, threshold=0.3)
    assert found["name"].tolist() == ["a", "b"]
    assert found["c_index"].tolist() == [0.6, 0.7]
    assert found.loc[0, ["ibs", "ibs_low", "ibs_high"]].tolist() == pytest.approx(
        [0.2, 0.1, 0.3]
    )
    assert found["horizon"].tolist() == [730.0] * 2
    assert found["constant_folds"].tolist() == [1, 0]
    results = build_results(
        name="demo",
        cohort={},
        endpoint="mfs",
        models=found,
        differences=pd.DataFrame(),
        units={},
        matrix_id="m",
        seed=0,
        seconds=1.0,
    )
    for key in ("tdauc", "tdauc_low", "calibration_slope", "uno_c", "net_benefit"):
        assert results["models"][0][key] is None


@pytest.fixture
def page(tmp_path):
    (tmp_path / "p.png").write_bytes(PIXEL)
    figure = Figure(tmp_path / "p.png", "A <caption>", 'an "alt"')
    frame = pd.DataFrame({"ci_low": [0.5, np.nan], "who": ["<script>x</script>", "b"]})
    section = Section("Models & more", ["Text."], [Table(frame, "T")], [figure])
    path = write_html(
        tmp_path / "report.html",
        title="Study",
        summary=["One."],
        sections=[section],
        warnings=["3 patients failed"],
    )
    (tmp_path / "p.png").unlink()
    return path


def test_fault_109_page_holds_its_pictures_and_escapes_everything(page):
    text = page.read_text("utf-8")
    assert "data:image/png;base64,iVBOR" in text
    assert "<script" not in text
    assert "A &lt;caption&gt;" in text
    assert "http" not in text
    assert "–" in text


@pytest.mark.browser
def test_page_opens_in_chromium_with_its_picture(page):
    assert "<h2>Models &amp; more</h2>" in opened(page).stdout
