import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.transform import columns


@pytest.fixture
def X():
    names = [
        "radiomics.t1.mean",
        "site",
        "radiomics.t1c.mean",
        "clinical.age",
        "radiomics.t1.max",
    ]
    return pd.DataFrame(np.arange(10.0).reshape(2, 5), columns=names)


def test_a_feature_set_takes_its_columns_and_no_namesake(X):
    assert columns("radiomics.t1")(X) == ["radiomics.t1.mean", "radiomics.t1.max"]


def test_columns_keep_the_order_of_X_and_come_once(X):
    chosen = columns("clinical.age", "radiomics.t1", "radiomics", "site")(X)
    assert chosen == list(X.columns)


def test_exclude(X):
    chosen = columns("radiomics", exclude="radiomics.t1")(X)
    assert chosen == ["radiomics.t1c.mean"]
    both = columns("radiomics", exclude=["radiomics.t1", "radiomics.ct"])(X)
    assert both == ["radiomics.t1c.mean"]


def test_unknown_name_offers_the_near_miss(X):
    with pytest.raises(UnknownName, match=r"no column 'radiomics\.t2'.*Did you mean"):
        columns("radiomics.t2")(X)
    with pytest.raises(UnknownName, match=r"Did you mean 'clinical\.age'\?"):
        columns("clinical.agee")(X)


def test_wrong_arguments(X):
    with pytest.raises(InvalidInput, match="got none"):
        columns()
    with pytest.raises(InvalidInput, match=r"got \['site'\]"):
        columns(["site"])
    with pytest.raises(InvalidInput, match="needs a DataFrame"):
        columns("site")(X.to_numpy())


def test_pickle_clone_and_repr(X):
    chooser = columns("radiomics.t1", exclude="radiomics.t1.max")
    assert pickle.loads(pickle.dumps(chooser)) == chooser
    assert repr(chooser) == "columns('radiomics.t1', exclude=('radiomics.t1.max',))"
    transformer = ColumnTransformer([("t1", "passthrough", chooser)])
    assert list(clone(transformer).fit_transform(X)[0]) == [0.0]
