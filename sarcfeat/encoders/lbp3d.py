"""The spherical harmonics that pyradiomics' 3-D local binary patterns ask of SciPy.

``scipy.special.sph_harm`` left SciPy in version 1.17, and pyradiomics then skips LBP3D
with a log line. The function is provided here for the length of one call, in its old
signature, and taken away again: nothing is patched at import.

pyradiomics passes the polar angle where the old function expected the azimuth and the
other way round. That is kept: published LBP-3D features were computed so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["provide_sph_harm", "sph_harm"]

_lock = threading.RLock()


def sph_harm(
    m: int, n: int, theta: npt.ArrayLike, phi: npt.ArrayLike
) -> npt.NDArray[np.complex128]:
    r"""Evaluate a spherical harmonic with the signature SciPy had before 1.17.

    .. math:: Y_n^m(\theta, \phi) = \sqrt{\frac{2n+1}{4\pi}\frac{(n-m)!}{(n+m)!}}
              \, e^{i m \theta} P_n^m(\cos\phi)

    Parameters
    ----------
    m, n : int
        Order and degree, ``|m| <= n``.
    theta : array-like
        Azimuth, in radians.
    phi : array-like
        Polar angle, in radians. Only its cosine counts, so a negative angle gives
        what the positive one does; pyradiomics passes angles in [-π, π].

    Returns
    -------
    ndarray of complex

    Examples
    --------
    >>> complex(sph_harm(0, 0, 0.3, 0.7)).real.__round__(6)
    0.282095
    """
    polar = np.arccos(np.clip(np.cos(np.asarray(phi, dtype=float)), -1.0, 1.0))
    return special.sph_harm_y(n, m, polar, np.asarray(theta, dtype=float))


@contextmanager
def provide_sph_harm() -> Iterator[None]:
    """Give ``scipy.special`` a ``sph_harm`` while the block runs, if it has none."""
    with _lock:
        if hasattr(special, "sph_harm"):
            yield
            return
        module: Any = special
        module.sph_harm = sph_harm
        try:
            yield
        finally:
            del module.sph_harm
