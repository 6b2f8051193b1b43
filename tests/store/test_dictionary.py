"""The feature repository of the checkout: its dictionary and its queries."""

import re
from pathlib import Path

import pytest

from sarcfeat.store.dictionary import MEANINGS, data_dictionary
from tests.store.fakes import FakeEncoder

REPOSITORY = Path(__file__).parent.parent.parent / "store"
QUERIES = sorted((REPOSITORY / "queries").glob("*.sql"))
ROW = re.compile(r"\| `(\w+)` \| .*? \| .*? \| (.*) \|")


def test_dictionary_is_up_to_date():
    written = (REPOSITORY / "data_dictionary.md").read_text(encoding="utf-8")
    assert written == data_dictionary(), (
        "run: python -m sarcfeat.store.dictionary > store/data_dictionary.md"
    )


def test_every_column_of_a_store_is_there_and_has_a_meaning(store):
    page = data_dictionary()
    columns = store.sql(
        "SELECT table_name AS t, column_name AS c FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name = 'main'"
    )
    for table, names in columns.groupby("t")["c"]:
        part = page.split(f"\n## {table}\n", 1)[1].split("\n## ", 1)[0]
        told = dict(ROW.findall(part))
        assert set(told) == set(names), table
        assert all(told.values()), (table, told)
    assert len(columns) > 150


def test_no_meaning_is_left_over():
    page = data_dictionary()
    assert [name for name in MEANINGS if f"| `{name}` |" not in page] == []


def test_there_are_queries():
    assert len(QUERIES) >= 6


@pytest.fixture
def used(study, root):
    """A store in which one mask is empty and two readers' masks are the same."""
    source = root / "masks_A" / "P004" / "T1_mask.nii.gz"
    (root / "masks_B" / "P004" / "T1_mask.nii.gz").write_bytes(source.read_bytes())
    (root / "masks_A" / "P005" / "T1_mask.nii.gz").write_bytes(b"")
    study.encode(FakeEncoder())
    return study


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_each_query_asks_in_its_first_line_and_runs(used, path):
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- [A-Z].*[?.]\n|-- .*\?", text)
    assert len(used.sql(text).columns) >= 3


def answer(store, name):
    return store.sql((REPOSITORY / "queries" / f"{name}.sql").read_text("utf-8"))


def test_what_the_queries_answer(used):
    failed = answer(used, "who_failed_and_why")
    assert failed["patient_id"].tolist() == ["P005"]
    assert failed["error_code"].tolist() == ["InputEmpty"]
    per = answer(used, "readings_per_sequence").set_index("reader")["patients"]
    assert per.to_dict() == {"A": 5, "B": 6}
    alone = answer(used, "patients_without_second_reader")
    assert alone["patient_id"].tolist() == ["P005"]
    events = answer(used, "events_per_site").set_index("site")
    assert events["patients"].to_dict() == {"Bordeaux": 3, "Lyon": 3}
    assert events["events"].sum() == 2
    assert events["competing"].sum() == 2
    made = answer(used, "extractors")
    assert made[["address", "features", "units"]].to_numpy().tolist() == [
        ["fake.t1", 2, 11]
    ]
    same = answer(used, "same_contours")
    assert same.to_numpy().tolist() == [["P004", "T1", "A", "B"]]
    assert answer(used, "images_after_index_time").empty
    assert answer(used, "history")["commit_no"].is_monotonic_decreasing
