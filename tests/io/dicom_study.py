"""A DICOM study of nobody: every text field holds something that must not come out."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
}
NUMBER = "8675309"
ROOT = f"1.2.826.0.1.{NUMBER}"
CANARIES = (
    "Zzcanary",  # the name
    "ZZCANARY",
    "19470613",  # the dates
    "1947-06-13",
    "052947.123456",  # the time
    "8675309",  # the hospital's number, also inside the UIDs
)
BY_VR = {
    "AE": "ZZCANARY_AE",
    "AS": "097Y",
    "CS": "ZZCANARY",
    "DA": "19470613",
    "DS": "8675309.25",
    "DT": "19470613052947.123456",
    "IS": "8675309",
    "LO": "Zzcanary long",
    "LT": "Zzcanary in a long text",
    "PN": "Zzcanary^Jeanne",
    "SH": "Zzcanary",
    "ST": "Zzcanary in a short text",
    "TM": "052947.123456",
    "UC": "Zzcanary unlimited",
    "UI": f"{ROOT}.1",
    "UR": "https://hospital.example/Zzcanary",
    "UT": "Zzcanary in an unlimited text",
}
# Numbers that place the voxels or give them their meaning.
NUMBERS = {
    "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "ImagePositionPatient",
    "ImageOrientationPatient", "SliceLocation", "InstanceNumber", "RescaleSlope",
    "RescaleIntercept", "GantryDetectorTilt", "DecayFactor", "DoseCalibrationFactor",
    "FrameReferenceTime", "ActualFrameDuration", "PatientWeight", "PatientSize",
    "MagneticFieldStrength", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle",
    "EchoTrainLength", "NumberOfAverages", "KVP", "XRayTubeCurrent", "Exposure",
    "ExposureTime", "ReconstructionDiameter", "NumberOfFrames",
}  # fmt: skip
# Words that would have the image refused, or that the text is encoded by.
STOPS = {
    "BurnedInAnnotation",
    "ConversionType",
    "RecognizableVisualFeatures",
    "SpecificCharacterSet",
}


@contextmanager
def malformed():
    """Let a test write what DICOM does not allow: files of hospitals do hold it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def series_of(patient):
    """Return a number for a patient: a UID holds digits only."""
    return int.from_bytes(patient.encode()[-6:], "big")


def make_slice(number=0, *, modality="MR", patient="8675309", series=1, size=(6, 5)):
    """Return one slice of a stack 3 mm apart, with its pixels."""
    one = Dataset()
    one.SOPClassUID = CLASSES[modality]
    one.Modality = modality
    one.PatientID = patient
    one.PatientName = "Zzcanary^Jeanne"
    one.StudyInstanceUID = f"{ROOT}.2"
    one.SeriesInstanceUID = f"{ROOT}.3.{series_of(patient)}.{series}"
    one.SOPInstanceUID = f"{ROOT}.4.{series_of(patient)}.{series}.{number}"
    one.FrameOfReferenceUID = f"{ROOT}.5"
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = "19470613"
    one.Rows, one.Columns = size
    one.PixelSpacing = [1.5, 1.5]
    one.SliceThickness = 3
    one.ImagePositionPatient = [0, 0, 3 * number]
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.InstanceNumber = number
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    if modality in ("CT", "PT"):
        one.RescaleSlope, one.RescaleIntercept = "1", "0"
    if modality == "PT":
        one.Units = "GML"
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.PixelRepresentation = 1
    rng = np.random.default_rng([number, series])
    one.PixelData = rng.integers(0, 900, size, dtype=np.int16).tobytes()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.file_meta.SourceApplicationEntityTitle = "ZZCANARY"
    return one


def poison(one):
    """Write a canary into every text element of the dictionary, and private ones."""
    for tag, (vr, multiplicity, _, _, keyword) in DicomDictionary.items():
        if not keyword or keyword in NUMBERS | STOPS or keyword in one:
            continue
        if vr in BY_VR and tag >> 16 not in (0x0000, 0x0002, 0x0004):
            value = BY_VR[vr]
            setattr(one, keyword, value if multiplicity == "1" else [value, value])
    block = one.private_block(0x0009, "ZZCANARY PRIVATE", create=True)
    block.add_new(0x01, "LO", "Zzcanary^Jeanne")
    block.add_new(0x02, "UN", b"Zzcanary 19470613 8675309")
    nested = Dataset()
    nested.PatientName = "Zzcanary^Nested"
    nested.private_block(0x0011, "ZZCANARY", create=True).add_new(
        0x01, "UT", "Zzcanary"
    )
    one.ReferencedPatientSequence = Sequence([nested])
    one.OtherPatientIDsSequence = Sequence([nested])
    one.ImageType = ["ORIGINAL", "PRIMARY", "ZZCANARY"]
    one.DataSetTrailingPadding = b"Zzcanary"
    one.preamble = b"Zzcanary".ljust(128, b"\0")
    return one


def write_slices(folder, slices, name="Zzcanary_Jeanne_19470613_8675309"):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(slices):
        one.save_as(folder / f"{name}_{number}.dcm", enforce_file_format=True)
    return folder


def stack(n=4, **more):
    return [make_slice(number, **more) for number in range(n)]
