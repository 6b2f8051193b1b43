"""From simulated slides to tiles by region, through the commands and the store."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from sarcfeat import FeatureStore
from sarcfeat.cli import app
from sarcfeat.datasets import make_slides
from sarcfeat.io import BagRef

for library in ("torch", "monai", "openslide", "tifffile", "shapely"):
    pytest.importorskip(library)


def run(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.slow
def test_from_simulated_slides_to_tiles_by_region(tmp_path):
    cohort = make_slides(4, seed=1, root=tmp_path / "cohort", slides=2, size=512)
    store = tmp_path / "study"
    cohort.patients.to_csv(tmp_path / "patients.csv")
    cohort.slides.to_csv(tmp_path / "slides.csv", index=False)
    cohort.annotations.to_csv(tmp_path / "annotations.csv", index=False)
    run("add-patients", store, tmp_path / "patients.csv")
    n = len(cohort.slides)
    assert f"{n} files ok" in run("add-slides", store, tmp_path / "slides.csv")
    out = run("add-annotations", store, tmp_path / "annotations.csv")
    assert f"{len(cohort.annotations)} files ok" in out
    slides = json.loads(run("slides", store, "--json"))
    assert {row["reader"] for row in slides} == {"openslide"}
    assert {row["mpp"] for row in slides} == {0.25}
    assert all(row["regions"] for row in slides)
    options = ("--weights", "random", "--net", "resnet18", "--size", 64)
    asked = ("encode-slides", store, *options, "--mpp", 0.5, "--name", "tiny")
    assert f"encoded {n} units, 0 already there, 0 failed" in run(*asked)
    assert f"encoded 0 units, {n} already there, 0 failed" in run(*asked)
    counts = json.loads(run("tile-counts", store, "--json"))
    assert {row["region"] for row in counts} <= {"", "C", "P", "R"}
    with FeatureStore(store) as opened:
        assert opened.verify(sources=True).ok
        m = opened.matrix(None, features=["clinical", "tiny"])
        table = opened.tile_counts()
    column = m.X["tiny.bag"]
    assert column.notna().all()
    assert m.missing.query("feature_set == 'tiny'").empty
    kept = table[table["group"].isin(["A", "B"]) & (table["region"] != "")]
    for patient, ref in column.items():
        assert isinstance(ref, BagRef)
        assert ref.dim == 512
        mine = kept[kept["patient"] == patient].groupby("region")["tiles"].sum()
        for region, tiles in mine.items():
            bag = ref.load(regions=[region])
            assert len(bag) == tiles
            assert np.isfinite(bag.features).all()
            assert len(bag.slides) == (cohort.slides["patient"] == patient).sum()
        assert ref.count() == mine.sum()


def test_annotations_of_a_command_can_be_named_and_derived(tmp_path):
    cohort = make_slides(2, seed=1, root=tmp_path / "cohort", slides=1, size=256)
    store = tmp_path / "study"
    cohort.slides.to_csv(tmp_path / "slides.csv", index=False)
    cohort.annotations.to_csv(tmp_path / "annotations.csv", index=False)
    run("add-slides", store, tmp_path / "slides.csv")
    asked = ["add-annotations", str(store), str(tmp_path / "annotations.csv")]
    refused = CliRunner().invoke(app, [*asked, "--name", "C=nowhere"])
    assert refused.exit_code == 1
    assert "names=" in " ".join(refused.stdout.split())
    run(*asked)
