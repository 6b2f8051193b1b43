"""The arithmetic of stains: what dyes a picture has, and how to give it others.

Small and our own rather than torchstain's: there every tile's stains are estimated from
the tile itself, which fails on one without tissue and moves with what a tile happens to
hold; an eigenvector's sign is left to the library; and what was fitted cannot be
written down. On a picture full of tissue the two agree, and a test says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput

__all__ = ["apply_stain", "stain_state", "stained"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
State = dict[str, Any]

LIGHT = 240.0  # what glass lets through, of 255
CLEAR = 0.15  # optical density under which a pixel has no stain
TAIL = 1.0  # percent of stained pixels beyond each of the two dyes
LEAST = 200  # stained pixels

_DENSITY = -np.log((np.arange(256) + 1.0) / LIGHT)
_LINEAR = np.where(
    np.arange(256) / 255 > 0.04045,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
    np.arange(256) / 255 / 12.92,
)
_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.reshape((0.95047, 1.0, 1.08883), (3, 1))
_RGB = np.linalg.inv(_XYZ)


def stained(picture: Pixels) -> Pixels:
    """Return the pixels of a picture that have stain, shape (n, 3).

    Examples
    --------
    >>> picture = np.array([[[250, 250, 250], [150, 60, 140]]], np.uint8)
    >>> stained(picture).tolist()
    [[150, 60, 140]]
    """
    colours = picture.reshape(-1, 3)
    clear = (_DENSITY < CLEAR)[colours].any(axis=1)
    return np.ascontiguousarray(colours[~clear])


def stain_state(colours: Pixels, method: str, *, what: str) -> State:
    """Describe the stains of pixels.

    Parameters
    ----------
    colours : ndarray of uint8, shape (n, 3)
        Pixels that have stain.
    method : {"macenko", "reinhard"}
    what : str
        Whose they are, for messages.

    Returns
    -------
    dict
        Plain JSON types: of Macenko the optical densities of both dyes (haematoxylin
        first) and how much of each there is at most; of Reinhard the means and
        standard deviations of CIELAB.

    Raises
    ------
    InvalidInput
        There is too little stain, or one colour only.
    """
    if len(colours) < LEAST:
        raise InvalidInput(
            f"{what} has {len(colours):,} stained pixels; {LEAST} are needed to know "
            "its stains. Leave it out, or do not normalise."
        )
    return _macenko(colours, what) if method == "macenko" else _reinhard(colours, what)


def apply_stain(picture: Pixels, source: State, target: State) -> Pixels:
    """Give a picture of one stain the colours of another.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    source, target : dict
        As :func:`stain_state` returns them, of the same method.
    """
    if "dyes" in target:
        return _restain(picture, source, target)
    return _recolour(picture, source, target)


def _macenko(colours: Pixels, what: str) -> State:
    density = _DENSITY[colours]
    _, vectors = np.linalg.eigh(np.cov(density.T))
    plane = vectors[:, 1:]
    # An eigenvector's sign is arbitrary: both point to where the densities are.
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    angle = np.arctan2(density @ plane[:, 1], density @ plane[:, 0])
    ends = np.percentile(angle, (TAIL, 100 - TAIL))
    dyes = plane @ np.array([np.cos(ends), np.sin(ends)])
    if dyes[0, 0] < dyes[0, 1]:
        dyes = dyes[:, ::-1]  # haematoxylin takes more red away than eosin
    if np.linalg.svd(dyes, compute_uv=False)[-1] < 1e-3:
        raise InvalidInput(
            f"{what} has one stain only: its {len(colours):,} stained pixels are of "
            "one colour. Use method='reinhard', or do not normalise."
        )
    amounts = density @ np.linalg.pinv(dyes).T
    most = np.percentile(amounts, 99, axis=0)
    return {"dyes": dyes.tolist(), "most": np.maximum(most, 1e-3).tolist()}


def _restain(picture: Pixels, source: State, target: State) -> Pixels:
    ratio = np.array(target["most"]) / np.array(source["most"])
    dyes, own = np.array(target["dyes"]), np.linalg.pinv(np.array(source["dyes"]))
    change = (dyes * ratio) @ own
    density = _DENSITY.astype(np.float32)[picture]
    return _to_bytes(LIGHT * np.exp(-_mixed(density, change)))


def _reinhard(colours: Pixels, what: str) -> State:
    lab = _lab(colours).astype(np.float64)
    sd = lab.std(axis=0)
    if sd.min() < 1e-3:
        raise InvalidInput(
            f"{what} is of one colour: its {len(colours):,} stained pixels do not "
            "vary. Leave it out, or do not normalise."
        )
    return {"mean": lab.mean(axis=0).tolist(), "sd": sd.tolist()}


def _recolour(picture: Pixels, source: State, target: State) -> Pixels:
    mean, sd, to, by = (
        np.array(state[key], np.float32)
        for state in (source, target)
        for key in ("mean", "sd")
    )
    return _rgb((_lab(picture) - mean) * (by / sd) + to)


def _lab(picture: Pixels) -> npt.NDArray[np.float32]:
    """Return CIELAB of pixels, white being that of daylight (D65)."""
    xyz = _mixed(_LINEAR.astype(np.float32)[picture], _XYZ)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + np.float32(16 / 116))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _rgb(lab: npt.NDArray[np.float32]) -> Pixels:
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 0.2068966, f**3, (f - np.float32(16 / 116)) / 7.787)
    linear = np.maximum(_mixed(xyz, _RGB), 0)
    curved = 1.055 * linear ** np.float32(1 / 2.4) - 0.055
    return _to_bytes(255 * np.where(linear > 0.0031308, curved, 12.92 * linear))


def _mixed(values: npt.NDArray[np.float32], matrix: Floats) -> npt.NDArray[np.float32]:
    """Mix the three colours of each pixel; written out, as its bits must not vary."""
    a, b, c = (values[..., k] for k in range(3))
    rows = matrix.astype(np.float32)
    return np.stack([r[0] * a + r[1] * b + r[2] * c for r in rows], axis=-1)


def _to_bytes(values: npt.NDArray[Any]) -> Pixels:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
