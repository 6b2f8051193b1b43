"""Structure sets and segmentations of the stacks that dicom_study makes."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tests.io.dicom_study import ROOT

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"


def square(z, low, high):
    """Return the corners of a square between pixel edges (1.5 mm a side)."""
    a, b = 1.5 * (low - 0.5), 1.5 * (high + 0.5)
    return [(a, a, z), (b, a, z), (b, b, z), (a, b, z)]


def make_rtstruct(regions, *, frame=f"{ROOT}.5", kind="CLOSED_PLANAR"):
    """Return a structure set of ``{name: [corners, …]}``."""
    one = Dataset()
    one.SOPClassUID = RTSTRUCT
    one.SOPInstanceUID = f"{ROOT}.9"
    one.SeriesInstanceUID = f"{ROOT}.9.1"
    one.Modality = "RTSTRUCT"
    one.PatientID, one.PatientName = "8675309", "Zzcanary^Jeanne"
    named, drawn = [], []
    for number, (name, curves) in enumerate(regions.items(), start=1):
        item = Dataset()
        item.ROINumber, item.ROIName = number, name
        item.ReferencedFrameOfReferenceUID = frame
        named.append(item)
        outline = Dataset()
        outline.ReferencedROINumber = number
        outline.ContourSequence = Sequence([_curve(points, kind) for points in curves])
        drawn.append(outline)
    one.StructureSetROISequence = Sequence(named)
    one.ROIContourSequence = Sequence(drawn)
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = RTSTRUCT
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return one


def _curve(points, kind):
    one = Dataset()
    one.ContourGeometricType = kind
    one.NumberOfContourPoints = len(points)
    one.ContourData = [f"{x:.4f}" for x in np.ravel(points)]
    return one


def save(one, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)
    return path


def make_seg(slices, inside, path, labels=("GTV",)):
    """Write a DICOM SEG of `inside` (segments, z, y, x) on the slices of a stack."""
    import highdicom as hd
    from highdicom.sr.coding import CodedConcept

    finding = CodedConcept("49755003", "SCT", "Morphologically abnormal structure")
    described = [
        hd.seg.SegmentDescription(
            segment_number=i,
            segment_label=label,
            segmented_property_category=finding,
            segmented_property_type=finding,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for i, label in enumerate(labels, start=1)
    ]
    one = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=np.moveaxis(np.asarray(inside, np.uint8), 0, -1),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=7,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="a",
        manufacturer_model_name="b",
        software_versions="1",
        device_serial_number="1",
    )
    return save(one, path)
