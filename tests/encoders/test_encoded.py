import numpy as np
import pytest

from sarcfeat.encoders import Encoded, Encoder, Radiomics
from sarcfeat.exceptions import InvalidInput


def test_names_and_values_go_together():
    encoded = Encoded(["a", "b"], np.array([1.0, 2.0]))
    assert encoded.to_series().to_dict() == {"a": 1.0, "b": 2.0}
    assert encoded.warnings == []
    with pytest.raises(InvalidInput, match="1 names for 2 values"):
        Encoded(["a"], np.array([1.0, 2.0]))


def test_radiomics_is_an_encoder():
    assert isinstance(Radiomics("demo.yaml"), Encoder)
