"""Every fitted step goes to a file and comes back the same, without a patient's id."""

import warnings
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import CoxPH, LassoCox, RiskScore
from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    InvalidInput,
    LeakageError,
    OtherVersion,
    UntrustedFile,
)
from sarcfeat.io import load_model, model_file, save_model
from sarcfeat.store import Readings
from sarcfeat.transform import MRMR, ComBat, ICCFilter, ZScore, columns
from tests import steps


@pytest.fixture(scope="module")
def data():
    return steps.cohort()


@pytest.mark.parametrize("name", steps.NAMES)
def test_skops_round_trip_without_a_patient(name, data, tmp_path):
    X, y = data
    step, names = steps.make(name, X)
    X = steps.as_taken(name, X[names])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step.fit(X, steps.target(name, y))
    if hasattr(step, "readings"):
        step.set_params(readings=Readings("study/readings.zip"))
    path = save_model(step, tmp_path / "step.skops", patients=X.index)
    assert b"SECRETID" not in path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            content = archive.read(member)
            assert b"SECRETID" not in content
            assert "SECRETID".encode("utf-32-le") not in content
    back = load_model(path)
    assert type(back) is type(step)
    assert not list(steps.differences(steps.state(step), steps.state(back)))
    ours, theirs = steps.apply(step, X), steps.apply(back, X)
    if isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    else:
        np.testing.assert_array_equal(ours, theirs)


def test_a_whole_chain(data, tmp_path):
    X, y = data
    rad = make_pipeline(
        ComBat("site"), ZScore(), MRMR(k=4), RiskScore(LassoCox(cv=3), random_state=0)
    )
    model = make_pipeline(
        ColumnTransformer(
            [("rad", rad, columns("r.t1", "site"))], verbose_feature_names_out=False
        ).set_output(transform="pandas"),
        CoxPH(),
    )
    model.fit(X, y)
    path = save_model(model, tmp_path / "chain.skops", patients=X.index)
    np.testing.assert_array_equal(load_model(path).predict(X), model.predict(X))


def test_the_model_itself_is_not_changed(data, tmp_path):
    X, _ = data
    step = ZScore().fit(X)
    save_model(step, tmp_path / "z.skops")
    assert isinstance(step.dropped_, pd.DataFrame)


def test_readings_given_as_a_frame_are_refused(data, tmp_path):
    X, _ = data
    step = ICCFilter(steps.readings(X)).fit(X)
    with pytest.raises(LeakageError, match="ICCFilter holds the ids of 60 patients"):
        save_model(step, tmp_path / "icc.skops", patients=X.index)
    assert not (tmp_path / "icc.skops").exists()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "c": [True, False]}),
        pd.DataFrame(index=pd.Index(["p", "q"], name="patient")),
        pd.DataFrame(
            {"v": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
        ),
        pd.Series([1.0, 2.0], index=["x", "y"], name="risk"),
        pd.Index(["x", "y"], name="feature"),
    ],
    ids=["mixed", "empty", "levels", "series", "index"],
)
def test_tables_come_back_as_they_were(table, tmp_path):
    step = ZScore().fit([[1.0], [2.0]])
    step.extra_ = table
    back = load_model(save_model(step, tmp_path / "t.skops")).extra_
    assert type(back) is type(table)
    assert back.equals(table)


def test_fault_105_a_pickle_is_refused_by_content(tmp_path):
    path = tmp_path / "model.skops"
    joblib.dump(ZScore().fit([[1.0], [2.0]]), path)
    with pytest.raises(UntrustedFile, match=r"model\.skops is a pickle"):
        load_model(path)


def test_a_strange_type_is_named_and_not_built(tmp_path, monkeypatch):
    import skops.io

    path = tmp_path / "strange.skops"
    path.write_bytes(skops.io.dumps({"model": print, "versions": {}}))
    with pytest.raises(UntrustedFile, match=r"strange\.skops asks for types.*print"):
        load_model(path)
    forest = RandomForestClassifier(n_estimators=2).fit([[0.0], [1.0]], [0, 1])
    assert load_model(save_model(forest, path)).predict([[1.0]]).tolist() in ([0], [1])


def test_fault_086_other_versions_are_named(tmp_path, monkeypatch):
    path = tmp_path / "z.skops"
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "_versions", lambda: {"scikit-learn": "1.2.3"})
        save_model(ZScore().fit([[1.0], [2.0]]), path)
    import sklearn

    expected = (
        rf"z\.skops was written by scikit-learn 1\.2\.3 \(here {sklearn.__version__}"
    )
    with pytest.warns(OtherVersion, match=expected):
        load_model(path)


def test_no_model_file(tmp_path):
    with pytest.raises(InputMissing, match=r"no model file .*nothing\.skops"):
        load_model(tmp_path / "nothing.skops")
    cut = tmp_path / "cut.skops"
    cut.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputCorrupt, match=r"cut\.skops is no model file, or is cut"):
        load_model(cut)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputCorrupt, match=r"other\.zip is an archive, but no model"):
        load_model(other)


def test_an_archive_too_large_is_not_opened(tmp_path, monkeypatch):
    path = save_model(ZScore().fit([[1.0], [2.0]]), tmp_path / "z.skops")
    monkeypatch.setattr(model_file, "MAX_BYTES", 100)
    with pytest.raises(UntrustedFile, match=r"z\.skops unpacks to"):
        load_model(path)


def test_what_skops_cannot_write_is_said(tmp_path):
    step = ZScore().fit([[1.0], [2.0]])
    step.extra_ = (i for i in range(3))
    with pytest.raises(InvalidInput, match="ZScore cannot be written"):
        save_model(step, tmp_path / "z.skops")
