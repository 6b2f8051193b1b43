"""``import sarcfeat`` is light and its public door is complete."""

import subprocess
import sys

import pytest

import sarcfeat


def test_import_is_light():
    code = (
        "import sys, sarcfeat, sarcfeat.store, sarcfeat.survival, sarcfeat.transform, "
        "sarcfeat.estimators, sarcfeat.encoders, sarcfeat.datasets, sarcfeat.nomogram, "
        "sarcfeat.evaluate\n"
        "heavy = {'torch', 'radiomics', 'matplotlib', 'SimpleITK', 'monai'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sarcfeat.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(sarcfeat, name)
    assert name == "__version__" or value.__doc__


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Lasso'"):
        _ = sarcfeat.Lasso
