"""Who is in a study, in which cohort, and why somebody is not."""

import numpy as np
import pandas as pd
import pytest

from pipelines.patients import annotated, endpoint_of, left_out, split
from sarcfeat.datasets import Cohort
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import BagPart, BagRef
from sarcfeat.io.bagfile import write_bag


def test_patients_without_cohorts_are_split_by_hospital():
    patients = pd.DataFrame({"site": ["A"] * 40 + ["B"] * 15}, index=range(55))
    event = pd.Series(np.arange(55) % 3, index=range(55))
    found = split(patients, event, seed=0)
    assert found.value_counts().to_dict() == {
        "training": 28,
        "external validation": 15,
        "internal validation": 12,
    }
    assert (found[patients["site"] == "B"] == "external validation").all()
    assert found.equals(split(patients, event, seed=0))
    given = patients.assign(cohort=["training"] * 40 + ["external validation"] * 15)
    assert split(given, event, 0).astype(str).equals(given["cohort"])
    # One hospital has no other to validate on.
    alone = split(patients.assign(site="A"), event, seed=0)
    assert list(alone.cat.categories) == ["training", "internal validation"]
    with pytest.raises(InvalidInput, match="largest hospital, 'B', has 15 patients"):
        split(patients[patients["site"] == "B"], event[40:], seed=0)


def test_cohorts_may_be_called_as_in_a_paper():
    names = ["Validation-2", "Training ", "Validation-1", None]
    found = split(pd.DataFrame({"site": "A", "cohort": names}), pd.Series([0] * 4), 0)
    assert list(found.cat.categories) == ["training", "Validation-1", "Validation-2"]
    assert found.tolist()[:3] == ["Validation-2", "training", "Validation-1"]
    assert found.isna().tolist() == [False] * 3 + [True]
    other = pd.DataFrame({"site": "A", "cohort": ["trainning", "test"]})
    with pytest.raises(InvalidInput, match=r"has trainning, test; .* Did you mean 'tr"):
        split(other, pd.Series([0, 0]), 0)


def test_everybody_who_is_left_out_is_named_with_every_reason():
    ids = pd.Index([f"P{i}" for i in range(5)], name="patient")
    patients = pd.DataFrame({"site": "A"}, index=ids)
    mfs = pd.DataFrame({"time": 90.0, "event": [1, 0, 1]}, index=ids[:3])
    stranger = pd.DataFrame({"patient": ["X"], "reason": ["no row in patients.csv"]})
    cohort = Cohort("c", patients, outcomes={"mfs": mfs}, dropped=stranger)
    where = pd.Series(["training", None, "training"], index=ids[:3])
    missing = pd.DataFrame({"patient": ["P2", "P3"], "reason": ["no slide", "torn"]})
    found = left_out(cohort, ["P0"], endpoint="mfs", where=where, missing=missing)
    assert dict(found.to_numpy()) == {
        "X": "no row in patients.csv",
        "P1": "no value in the column 'cohort'",
        "P2": "no slide",
        "P3": "no mfs (time and event); torn",
        "P4": "no mfs (time and event)",
    }
    assert endpoint_of(cohort, "os") == "mfs"
    with pytest.raises(InvalidInput, match="has no outcomes; expected mfs_time"):
        endpoint_of(Cohort("c", patients), "mfs")


def test_slides_without_regions_are_left_out_and_their_patients_told(tmp_path):
    def part(name, **more):
        path = tmp_path / f"{name}.safetensors"
        features = np.zeros((2, 3), np.float32)
        write_bag(path, features, np.zeros((2, 2), np.int64), {}, **more)
        return BagPart(name, str(path), "safetensors", 2)

    drawn = part("drawn", region=np.array([1, 0], np.uint8), region_names=("C",))
    plain = part("plain")
    bags = pd.Series(
        {
            "both": BagRef("both", (drawn, plain), 3),
            "plain": BagRef("plain", (plain,), 3),
            "none": None,
        },
        dtype=object,
    )
    found, missing = annotated(bags, ("C", "P"))
    assert found["both"].parts == (drawn,)
    assert found["plain"] is None
    assert found["none"] is None
    assert missing["patient"].tolist() == ["both", "plain"]
    assert set(missing["reason"]) == {"slide plain: no annotation of it was found"}
    gone = annotated(bags[:1], ("P", "R"))[1]["reason"]
    assert gone[0] == "slide drawn: no tile in P, R"
