import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from sarcfeat.encoders.lbp3d import provide_sph_harm, sph_harm
from sarcfeat.encoders.quiet import quiet


def direct(m, n, azimuth, polar):
    """Rodrigues' formula with polynomials: no special function is shared."""
    order = abs(m)
    ball = np.polynomial.Polynomial([-1, 0, 1]) ** n
    slope = ball.deriv(n + order) if n + order else ball
    x = np.cos(polar)
    legendre = (
        (-1) ** order
        * (1 - x**2) ** (order / 2)
        * slope(x)
        / (2.0**n * math.factorial(n))
    )
    norm = math.sqrt(
        (2 * n + 1)
        / (4 * math.pi)
        * math.factorial(n - order)
        / math.factorial(n + order)
    )
    value = norm * legendre * np.exp(1j * order * azimuth)
    return (-1) ** order * np.conj(value) if m < 0 else value


@given(
    n=st.integers(0, 5),
    share=st.floats(-1, 1),
    azimuth=st.floats(-math.pi, math.pi),
    polar=st.floats(-math.pi, math.pi),
)
def test_equals_the_direct_formula(n, share, azimuth, polar):
    m = round(share * n)
    np.testing.assert_allclose(
        sph_harm(m, n, azimuth, polar), direct(m, n, azimuth, polar), atol=1e-7
    )


@given(
    n=st.integers(0, 6),
    share=st.floats(-1, 1),
    azimuth=st.floats(-math.pi, math.pi),
    polar=st.floats(0, math.pi),
)
def test_equals_scipys_new_function_with_its_arguments_turned_round(
    n, share, azimuth, polar
):
    m = round(share * n)
    theirs = special.sph_harm_y(n, m, polar, azimuth)
    np.testing.assert_allclose(sph_harm(m, n, azimuth, polar), theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("m", "n", "value"),
    [
        (0, 0, lambda az, po: 0.5 / np.sqrt(np.pi)),
        (0, 1, lambda az, po: np.sqrt(0.75 / np.pi) * np.cos(po)),
        (
            1,
            1,
            lambda az, po: -np.sqrt(0.375 / np.pi) * np.sin(po) * np.exp(1j * az),
        ),
        (
            -2,
            2,
            lambda az, po: (
                np.sqrt(7.5 / np.pi) / 4 * np.sin(po) ** 2 * np.exp(-2j * az)
            ),
        ),
    ],
)
def test_printed_harmonics(m, n, value):
    azimuth, polar = np.meshgrid(np.linspace(-3, 3, 7), np.linspace(0, np.pi, 5))
    wanted = value(azimuth, polar) * np.ones_like(azimuth)
    np.testing.assert_allclose(sph_harm(m, n, azimuth, polar), wanted, atol=1e-12)


def test_is_there_during_the_block_only():
    before = hasattr(special, "sph_harm")
    with provide_sph_harm():
        assert callable(special.sph_harm)
        with provide_sph_harm():
            assert callable(special.sph_harm)
        assert callable(special.sph_harm)
    assert hasattr(special, "sph_harm") == before


def test_goes_away_after_an_error():
    before = hasattr(special, "sph_harm")
    with pytest.raises(ZeroDivisionError), provide_sph_harm():
        raise ZeroDivisionError
    assert hasattr(special, "sph_harm") == before


# mean, SD, first and 101st voxel, sum: pyradiomics-cuda 1.0.4 on SciPy 1.14.1, which
# still had its own sph_harm
GOLDEN = {
    "lbp-3D-m1": [
        11.133663401473319,
        7.492804548982557,
        9.282977253435895,
        0.0,
        4275.326746165754,
    ],
    "lbp-3D-m2": [
        10.238213403313551,
        6.233976304116674,
        7.224175512901333,
        0.0,
        3931.4739468724038,
    ],
    "lbp-3D-m3": [
        10.591603337565418,
        6.364980707434005,
        7.298067252519246,
        0.0,
        4067.175681625121,
    ],
    "lbp-3D-k": [
        -0.6360029326751828,
        0.43943330484369525,
        -0.9530277252197266,
        -1.0904536247253418,
        -244.2251261472702,
    ],
}


def test_filtered_images_equal_those_of_an_older_scipy():
    pytest.importorskip("radiomics")
    SimpleITK = pytest.importorskip("SimpleITK")
    from radiomics.imageoperations import getLBP3DImage

    rng = np.random.default_rng(7)
    voxels = rng.integers(0, 200, size=(10, 12, 14)).astype("float32")
    mask = np.zeros(voxels.shape, "uint8")
    mask[2:8, 2:10, 3:11] = 1
    with quiet("radiomics"), provide_sph_harm():
        images = {
            name: SimpleITK.GetArrayFromImage(image)[mask == 1]
            for image, name, _ in getLBP3DImage(
                SimpleITK.GetImageFromArray(voxels),
                SimpleITK.GetImageFromArray(mask),
                label=1,
                lbp3DLevels=3,
            )
        }
    assert list(images) == list(GOLDEN)
    for name, v in images.items():
        np.testing.assert_allclose(
            [v.mean(), v.std(), v[0], v[100], v.sum()], GOLDEN[name], rtol=1e-10
        )
