import gzip

import numpy as np
import pytest

from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.integrity import check_complete, expected_bytes

sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.normal(size=(4, 5, 6)).astype("float32"))
    sitk.WriteImage(image, str(path))
    return path


def test_a_whole_file_passes(scan, tmp_path):
    check_complete(scan)
    plain = tmp_path / "scan.nii"
    plain.write_bytes(gzip.decompress(scan.read_bytes()))
    check_complete(plain)
    assert expected_bytes(plain.read_bytes()[:348]) == 352 + 4 * 120


def test_the_reader_itself_would_not_notice(scan, tmp_path):
    cut = tmp_path / "cut.nii"
    cut.write_bytes(gzip.decompress(scan.read_bytes())[:500])
    assert sitk.ReadImage(str(cut)).GetSize() == (6, 5, 4)
    with pytest.raises(InputCorrupt, match=r"cut\.nii .*promises 832 .* 500 are there"):
        check_complete(cut)


def test_cut_or_flipped_compression(scan, tmp_path):
    whole = scan.read_bytes()
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(whole[:-20])
    with pytest.raises(InputCorrupt, match=r"cut\.nii\.gz is cut off or damaged"):
        check_complete(cut)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    cut.write_bytes(bytes(flipped))
    with pytest.raises(InputCorrupt, match="damaged"):
        check_complete(cut)
