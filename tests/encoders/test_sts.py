"""All sarcomas, every filter, by one command: the same bits whoever computes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sarcfeat.cli.app import app
from sarcfeat.encoders import Radiomics
from sarcfeat.store import FeatureStore

pytest.importorskip("radiomics")

PATIENTS = ["STS_002", "STS_008"]  # small lesions with MR, CT and PET
EACH = 14 + 20 * 93


def run(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def encoded(folder, real_data, n_jobs):
    """Fill a store by the commands of the README and return its matrix."""
    folder.parent.mkdir()
    clinical = folder.parent / "patients.csv"
    pd.DataFrame({"patient": PATIENTS, "site": "A"}).to_csv(clinical, index=False)
    images = folder.parent / "images"
    if not images.exists():
        images.mkdir()
        for patient in PATIENTS:
            shutil.copytree(real_data / "images" / "sts" / patient, images / patient)
    run("init", folder)
    run("add-patients", folder, clinical)
    run("add-images", folder, images)
    run("add-masks", folder, images)
    said = run("encode", folder, "--params", "all_filters", "--n-jobs", n_jobs)
    assert "encoded 6 units" in " ".join(said.split())
    with FeatureStore(folder) as store:
        sets = [f"radiomics.{s}" for s in ("ct", "mr_t1", "pet")]
        return store.matrix(None, features=sets).X


@pytest.mark.slow
def test_one_and_two_workers_give_the_same_bits(real_data, tmp_path):
    one = encoded(tmp_path / "one" / "store", real_data, 1)
    two = encoded(tmp_path / "two" / "store", real_data, 2)
    names = Radiomics("all_filters").feature_names
    assert len(names) == EACH == 1874
    for sequence in ("ct", "mr_t1", "pet"):
        columns = [c for c in one.columns if c.startswith(f"radiomics.{sequence}.")]
        assert len(columns) == EACH
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert np.isfinite(one.select_dtypes("number").to_numpy()).mean() > 0.99
