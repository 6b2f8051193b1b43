"""The IBSI's comparison: on the phantoms, and on a stand-in of the CT phantom.

The stand-in's reference values are computed here with scipy, which shares no code with
the chain or with pyradiomics.
"""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from scipy import ndimage, stats

from benchmarks import ibsi, ibsi1, ibsi2
from benchmarks.ibsi_tags import AGGREGATIONS, canonical_tag, offered
from sarcfeat.encoders.catalogue import FAMILIES

pytest.importorskip("radiomics")

SIZE, SPACING = (14, 44, 48), (3.0, 0.977, 0.977)  # z, y, x
SETTINGS = {
    # spacing asked for, order of the spline, range, sigmas
    "A": (None, 0, (-500, 400), None),
    "B": ((3.0, 2.0, 2.0), 1, (-500, 400), None),
    "C": ((2.0, 2.0, 2.0), 1, (-1000, 400), None),
    "D": ((2.0, 2.0, 2.0), 1, None, 3),
    "E": ((2.0, 2.0, 2.0), 3, (-1000, 400), 3),
}


def stand_in():
    """Return Hounsfield units with air, fat and a lesion, and its mask."""
    rng = np.random.default_rng(8)
    z, y, x = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * s for n, s in zip(SIZE, SPACING, strict=True)),
        indexing="ij",
    )
    noise = ndimage.gaussian_filter(rng.standard_normal(SIZE), (0.6, 1.2, 1.2))
    image = np.where(x**2 + y**2 < 19**2, -80.0, -1000.0) + 220 * noise
    lesion = (x / 13) ** 2 + (y / 11) ** 2 + (z / 15) ** 2 < 1
    image[lesion] += 110
    image[lesion & (x > 11)] -= 600  # air at the rim, outside A's range
    return np.clip(np.rint(image), -1000, 3000), lesion


def moved(image, lesion, spacing, order):
    """Return both on a grid with the same centre."""
    if spacing is None:
        return image, lesion
    size = [
        int(np.ceil(n * o / s - 1e-6))
        for n, o, s in zip(SIZE, SPACING, spacing, strict=True)
    ]
    axes = [
        ((np.arange(m) - (m - 1) / 2) * s) / o + (n - 1) / 2
        for m, s, o, n in zip(size, spacing, SPACING, SIZE, strict=True)
    ]
    grid = np.meshgrid(*axes, indexing="ij")
    mode = "nearest" if order == 1 else "mirror"
    voxels = ndimage.map_coordinates(image, grid, order=order, mode=mode)
    soft = ndimage.map_coordinates(lesion * 1.0, grid, order=1, mode="nearest")
    return np.floor(voxels + 0.5), soft >= 0.5 - 1e-6


def joint_average(levels, inside):
    """Return the mean level over neighbouring pairs, averaged over 13 directions."""
    padded = np.pad(np.where(inside, levels, 0), 1)
    found = []
    for step in np.ndindex(3, 3, 3):
        other = np.roll(padded, [s - 1 for s in step], axis=(0, 1, 2))
        pair = (padded > 0) & (other > 0)
        if step > (1, 1, 1):
            found.append((padded[pair].mean() + other[pair].mean()) / 2)
    return np.mean(found)


def reference(name):
    """Return tag → value of a configuration."""
    spacing, order, limits, sigmas = SETTINGS[name]
    image, inside = moved(*stand_in(), spacing, order)
    kept = inside.copy()
    if limits:
        kept &= (image >= limits[0]) & (image <= limits[1])
    if sigmas:
        values = image[kept]
        kept &= np.abs(image - values.mean()) <= sigmas * values.std()
    values = image[kept]
    found = {
        "stat_mean": values.mean(),
        "stat_var": values.var(),
        "stat_skew": stats.skew(values),
        "stat_kurt": stats.kurtosis(values),
        "stat_max": values.max(),
        "img_dim_x_interp_img": image.shape[2],
        "img_dim_z_interp_img": image.shape[0],
        "mean_int_interp_img": image.mean(),
        "morph_mask_vox_count_interp_roi": inside.sum(),
        "int_mask_vox_count_reseg_roi": kept.sum(),
        "int_mask_bb_dim_y_interp_roi": np.ptp(np.flatnonzero(inside.any((0, 2)))) + 1,
        "dzm_sde_3D": 1.0,
    }
    if name == "C":
        level = np.floor((image + 1000) / 25) + 1
        found["cm_joint_avg_3D_avg"] = joint_average(level, kept)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "images" / "ibsi1_ct_phantom"
    place.mkdir(parents=True)
    for voxels, kind in zip(stand_in(), ("image", "mask"), strict=True):
        volume = SimpleITK.GetImageFromArray(voxels.astype("int16"))
        volume.SetSpacing(SPACING[::-1])
        SimpleITK.WriteImage(volume, str(place / f"{kind}.nii.gz"))
    for name in SETTINGS:
        values = reference(name)
        if name == "A":
            values["stat_iqr"] = 1.0  # not what it is
        table = pd.DataFrame(
            {
                "reference value": [ibsi1.rounded(float(v)) for v in values.values()],
                "tolerance": [abs(float(v)) * 0.002 for v in values.values()],
                "tag": list(values),
            }
        )
        file = place / f"reference_values_config_{name.lower()}.csv"
        table.to_csv(file, sep=";", index=False)
    return place.parents[1]


def test_every_table_finds_its_phantom(folder):
    cases = ibsi1.find_cases(folder)
    assert [case.configuration for case in cases] == list("ABCDE")
    assert {case.image.name for case in cases} == {"image.nii.gz"}
    assert {case.mask.name for case in cases} == {"mask.nii.gz"}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_configurations_on_the_stand_in(folder, name):
    case = next(c for c in ibsi1.find_cases(folder) if c.configuration == name)
    rows = {row.tag: row for row in ibsi1.compare(case)}
    verdicts = {tag: row.verdict for tag, row in rows.items()}
    assert verdicts.pop("dzm_sde_3d") == "not offered"
    assert verdicts.pop("stat_kurt") == "by design"
    if name == "A":
        assert verdicts.pop("stat_iqr") == "wrong"
    if name == "C":
        assert verdicts.pop("cm_joint_avg_3d_avg") == "by design"
        assert "re-segmentation's bound" in rows["cm_joint_avg_3d_avg"].reason
    assert set(verdicts.values()) == {"agree"}, rows


def test_the_command_prints_counts_and_differences(
    folder, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "rows.json"
    monkeypatch.setattr(
        sys, "argv", ["ibsi", "--data", str(folder), "--json", str(out)]
    )
    assert ibsi.main() == 1
    said = capsys.readouterr().out
    assert "wrong      A        stat_iqr" in said
    assert "pyradiomics does not subtract 3" in said
    rows = json.loads(out.read_text())["rows"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["A stat_iqr"]["met"] is False
    assert by_name["E stat_mean"]["met"] is True
    assert by_name["E dzm_sde_3d"]["met"] is None


def test_a_folder_without_phantoms(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ibsi", "--data", str(tmp_path)])
    assert ibsi.main() == 2
    assert "No phantom below" in capsys.readouterr().out


def test_the_tags_stand_for_features_that_exist():
    features = {
        f"original_{family}_{name}"
        for family, rows in FAMILIES.items()
        for name in rows
    }
    for tag, (way, feature) in offered().items():
        assert feature in features, tag
        assert way in {"", *AGGREGATIONS}
    for tag in ("cm_joint_max_d1_3d_v_mrg", "ngl_lde_d1_a0.0_3d", "rlm_sre_2_5D_comb"):
        assert canonical_tag(tag) in offered()


def test_the_digital_phantom_agrees_but_for_three_definitions(real_data):
    (case,) = [c for c in ibsi1.find_cases(real_data) if c.configuration == "digital"]
    rows = ibsi1.compare(case)
    differ = {row.tag for row in rows if row.verdict == "by design"}
    assert [row for row in rows if row.verdict == "wrong"] == []
    assert differ == {"stat_kurt", "morph_pca_min_axis", "morph_pca_least_axis"}
    assert sum(row.verdict == "agree" for row in rows) == 262
    assert all(row.reason for row in rows if row.verdict == "by design")


def test_the_filter_phantoms(real_data):
    rows = [row for row in ibsi2.compare(real_data) if row.ours is not None]
    assert [row.verdict for row in rows] == ["by design", "by design", "agree", "agree"]
    assert all("sigma²" in row.reason for row in rows[:2])


def test_a_consensus_map_is_taken_where_there_is_one(tmp_path):
    rng = np.random.default_rng(0)
    image = SimpleITK.GetImageFromArray(rng.random((24, 24, 24)))
    image.SetSpacing((2.0, 2.0, 2.0))
    place = tmp_path / "ibsi2_digital_phantom" / "sphere" / "image"
    place.mkdir(parents=True)
    SimpleITK.WriteImage(image, str(place / "sphere.nii.gz"))
    test = next(t for t in ibsi2.TESTS if t.name == "6_a_1")
    for shift, verdict in ((0, "agree"), (1, "by design"), (None, "wrong")):
        map_ = ibsi2.formula(test, image)
        map_ = rng.random(map_.shape) if shift is None else np.roll(map_, shift, 0)
        file = tmp_path / "reference_response_maps" / "6_a_1-ValidCRM.nii"
        file.parent.mkdir(exist_ok=True)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(map_), str(file))
        (row,) = [r for r in ibsi2.compare(tmp_path) if r.ours is not None]
        assert row.verdict == verdict
        assert "consensus map" in row.reason
