"""The registry of speed rows: topics are found, run and merged into one file."""

import json
import sys

from benchmarks import speed
from benchmarks.speed_rows import radiomics
from benchmarks.table import KEYS, row


def test_topics_are_modules_with_rows():
    assert "radiomics" in speed.topics()


def test_rows_of_other_topics_stay(tmp_path, monkeypatch, capsys):
    out = tmp_path / "speed.json"
    old = [row("radiomics: old", 1.0), row("other: kept", 2.0)]
    out.write_text(json.dumps({"rows": old}))
    monkeypatch.setattr(radiomics, "rows", lambda quick: [row("new", float(quick))])
    argv = ["speed", "--quick", "--only", "radiomics", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", argv)
    speed.main()
    held = json.loads(out.read_text())
    names = [r["name"] for r in held["rows"]]
    assert names[0] == "other: kept"
    assert names[1].startswith("radiomics: load of the machine")
    assert names[2:] == ["radiomics: new"]
    assert all(set(r) == set(KEYS) for r in held["rows"])
    assert {"machine", "versions", "date"} < set(held)
    assert "radiomics: new: 1.000" in capsys.readouterr().out


def test_without_the_volumes_a_row_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("SARCFEAT_DATA", str(tmp_path))
    (only,) = radiomics.rows(True)
    assert only["ours"] is None
    assert "not here" in only["note"]
