"""SUV by body weight, against the formula worked by hand."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import find_series, read_series, read_volume
from sarcfeat.io.suv import suv_factor
from tests.io.dicom_study import stack, write_slices

KEY = bytes(range(32))
HALF_LIFE = 6588.0
DOSE = 370e6
WEIGHT = 70.0


def pet(correction="START", *, injected="100000", series="110000", **more):
    slices = stack(3, modality="PT")
    for one in slices:
        one.Units = "BQML"
        one.DecayCorrection = correction
        one.PatientWeight = WEIGHT
        one.SeriesTime, one.AcquisitionTime = series, "110500.00"
        one.RescaleSlope = "2.5"
        drug = Dataset()
        drug.RadionuclideTotalDose = DOSE
        drug.RadionuclideHalfLife = HALF_LIFE
        drug.RadiopharmaceuticalStartTime = injected
        one.RadiopharmaceuticalInformationSequence = Sequence([drug])
        for name, value in more.items():
            setattr(one, name, value)
    return slices


def by_hand(seconds):
    return WEIGHT * 1000 / (DOSE * 0.5 ** (seconds / HALF_LIFE))


def test_start_decays_the_dose_to_the_start_of_the_series():
    assert suv_factor(pet(), "x") == pytest.approx(by_hand(3600), rel=1e-12)


def test_admin_takes_the_dose_as_given():
    assert suv_factor(pet("ADMIN"), "x") == pytest.approx(by_hand(0), rel=1e-12)


def test_over_midnight():
    slices = pet(injected="233000", series="003000")
    for one in slices:
        one.AcquisitionTime = "003500"
    assert suv_factor(slices, "x") == pytest.approx(by_hand(3600), rel=1e-12)


def test_a_series_computed_afterwards_counts_from_the_acquisition():
    # The frame of 120 s began 300 s after the start; activity is as on average a
    # little before its middle.
    slices = pet(series="180000", FrameReferenceTime=0, ActualFrameDuration=120000)
    rate = np.log(2) / HALF_LIFE
    average = np.log(rate * 120 / (1 - np.exp(-rate * 120))) / rate
    for one in slices:
        one.FrameReferenceTime = 1000 * (300 + average)
    assert suv_factor(slices, "x") == pytest.approx(by_hand(3600), rel=1e-9)


def test_grams_per_millilitre_are_suv():
    assert suv_factor(pet(Units="GML"), "x") == 1.0
    with pytest.raises(InvalidInput, match=r"x: the PET holds SUV by LBM"):
        suv_factor(pet(Units="GML", SUVType="LBM"), "x")
    with pytest.raises(InvalidInput, match=r"x: the PET has Units .* PROPCPS"):
        suv_factor(pet(Units="PROPCPS"), "x")


@pytest.mark.parametrize(("element", "factor"), [(0x00, 0.5), (0x09, 2.0)])
def test_counts_of_philips_by_their_own_factor(tmp_path, element, factor):
    slices = pet(Units="CNTS")
    expected = factor if element == 0 else factor * by_hand(3600)
    for one in slices:
        block = one.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(element, "DS", str(factor))
    assert suv_factor(slices, "x") == pytest.approx(expected, rel=1e-12)
    folder = write_slices(tmp_path / "pet", slices)
    voxels = np.array([one.pixel_array for one in slices]) * 2.5 * expected
    np.testing.assert_allclose(read_volume(folder).array, voxels, rtol=1e-6)
    series, _ = find_series(folder, key=KEY)  # the private tags go, the factor stays
    image, head = read_series(series[0], key=KEY)
    import SimpleITK

    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(image), voxels, rtol=1e-6)
    assert head.Units == ("GML" if element == 0 else "BQML")
    with pytest.raises(InvalidInput, match=r"x: the PET has counts .*\(7053,1000\)"):
        suv_factor(pet(Units="CNTS"), "x")


def test_deidentified_slices_have_the_same_suv(tmp_path):
    folder = write_slices(tmp_path / "pet", pet())
    series, _ = find_series(folder, key=KEY)
    import SimpleITK

    found = SimpleITK.GetArrayFromImage(read_series(series[0], key=KEY)[0])
    np.testing.assert_allclose(found, read_volume(folder).array, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PatientWeight", r"PatientWeight \(0010,1030\)"),
        ("DecayCorrection", r"DecayCorrection \(0054,1102\) .* empty"),
    ],
)
def test_fault_010_what_is_missing_is_named(name, told):
    slices = pet()
    for one in slices:
        delattr(one, name)
    with pytest.raises(InvalidInput, match=rf"Patient P1: no SUV .*{told}"):
        suv_factor(slices, "Patient P1")


def test_fault_010_a_weight_of_zero_is_none():
    with pytest.raises(InvalidInput, match=r"x: .* PatientWeight"):
        suv_factor(pet(PatientWeight=0), "x")
