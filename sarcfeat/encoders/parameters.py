"""Radiomics parameters: read, checked strictly, written in one canonical form.

The format is pyradiomics' own parameter file. pyradiomics lets several mistakes pass
in silence (a bin width beside a bin count, a LoG without sigma, a normalisation asked
of one filter only); each of them is refused here with the name of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sarcfeat._validation import listed, pick
from sarcfeat.encoders.catalogue import FAMILIES, FILTERS, WITHDRAWN
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.exceptions import InvalidInput, UnknownName

__all__ = ["canonical"]

Check = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _integer(low: int, high: int | None = None) -> tuple[str, Check]:
    text = f"an integer ≥ {low}" + (f" and ≤ {high}" if high is not None else "")

    def check(value: Any) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and value >= low and (high is None or value <= high)

    return text, check


def _several(text: str, check: Check, lengths: tuple[int, ...]) -> tuple[str, Check]:
    return (
        f"a list of {text}",
        lambda v: (
            isinstance(v, (list, tuple))
            and len(v) > 0
            and (not lengths or len(v) in lengths)
            and all(check(x) for x in v)
        ),
    )


def _choice(*options: str) -> tuple[str, Check]:
    return f"one of {', '.join(options)}", lambda v: v in options


_POSITIVE: tuple[str, Check] = (
    "a number above 0",
    lambda v: _number(v) and v > 0,
)
_FLAG: tuple[str, Check] = ("true or false", lambda v: isinstance(v, bool))
_TEXT: tuple[str, Check] = ("a text", lambda v: isinstance(v, str))

# Settings of preprocessing: they apply to the whole extraction only.
_PREPROCESSING: dict[str, tuple[str, Check]] = {
    "additionalInfo": _FLAG,
    "correctMask": _FLAG,
    "geometryTolerance": _POSITIVE,
    "interpolator": _choice(
        "sitkNearestNeighbor",
        "sitkLinear",
        "sitkBSpline",
        "sitkGaussian",
        "sitkHammingWindowedSinc",
        "sitkCosineWindowedSinc",
        "sitkWelchWindowedSinc",
        "sitkLanczosWindowedSinc",
        "sitkBlackmanWindowedSinc",
    ),
    "label": _integer(1),
    "minimumROIDimensions": _integer(1, 3),
    "minimumROISize": _integer(1),
    "normalize": _FLAG,
    "normalizeScale": _POSITIVE,
    "padDistance": _integer(0),
    "preCrop": _FLAG,
    "removeOutliers": _POSITIVE,
    "resampledPixelSpacing": _several(
        "3 numbers ≥ 0 (mm; 0 keeps the spacing)",
        lambda v: _number(v) and v >= 0,
        (3,),
    ),
    "resegmentMode": _choice("absolute", "relative", "sigma"),
    "resegmentRange": _several("1 or 2 numbers", _number, (1, 2)),
    "resegmentShape": _FLAG,
}

# Settings of the features: for all images, or for one filter's images.
_FEATURES: dict[str, tuple[str, Check]] = {
    "binCount": _integer(1),
    "binWidth": _POSITIVE,
    "distances": _several("integers ≥ 1", _integer(1)[1], ()),
    "force2D": _FLAG,
    "force2Ddimension": _integer(0, 2),
    "gldm_a": _integer(0),
    "symmetricalGLCM": _FLAG,
    "voxelArrayShift": ("an integer", lambda v: _number(v) and float(v).is_integer()),
    "weightingNorm": _choice("euclidean", "manhattan", "infinity", "no_weighting"),
}

# Settings that one filter alone reads.
_FILTER_SETTINGS: dict[str, dict[str, tuple[str, Check]]] = {
    "Gradient": {"gradientUseSpacing": _FLAG},
    "LBP2D": {
        "lbp2DMethod": _choice("default", "ror", "uniform", "var"),
        "lbp2DRadius": _POSITIVE,
        "lbp2DSamples": _integer(1),
    },
    "LBP3D": {
        "lbp3DIcosphereRadius": _POSITIVE,
        "lbp3DIcosphereSubdivision": _integer(0),
        "lbp3DLevels": _integer(1),
    },
    "LoG": {"sigma": _several("numbers above 0 (mm)", _POSITIVE[1], ())},
    "Wavelet": {
        "level": _integer(1),
        "start_level": _integer(0),
        "wavelet": _TEXT,
    },
}

_GLOBAL = {
    **_PREPROCESSING,
    **_FEATURES,
    **{k: v for own in _FILTER_SETTINGS.values() for k, v in own.items()},
}

# They change no value: the label belongs to the mask, the rest is book-keeping.
_WITHOUT_EFFECT = ("additionalInfo", "label")

# Numbers written 25 or 25.0 are the same parameter.
_AS_FLOAT = frozenset(
    {
        "binWidth",
        "geometryTolerance",
        "lbp2DRadius",
        "lbp3DIcosphereRadius",
        "normalizeScale",
        "removeOutliers",
        "resampledPixelSpacing",
        "resegmentRange",
    }
)

# key → the key without which pyradiomics ignores it in silence
_NEEDS = MappingProxyType(
    {
        "interpolator": "resampledPixelSpacing",
        "normalizeScale": "normalize",
        "removeOutliers": "normalize",
        "resegmentMode": "resegmentRange",
        "resegmentShape": "resegmentRange",
    }
)


# Feature sets with a definition of their own, asked for by name (see lifex.py).
FEATURE_SETS = ("lifex", "lifex+shape")


def canonical(
    content: Any, where: str = "params", *, chain: Preprocess | None = None
) -> dict[str, Any]:
    """Check parameters and write them so that equal requests are equal dicts.

    Keys are sorted, null values dropped, families spelled out feature by feature,
    and settings that change no value (`label`, `additionalInfo`) left out.

    Parameters
    ----------
    content : dict
        ``setting``, ``imageType`` and ``featureClass`` of pyradiomics, each optional.
        Without ``imageType`` the original image only; without ``featureClass`` every
        family except shape2D. Beside them ``preprocess``, the steps of a
        :class:`Preprocess`, and ``featureSet`` in place of ``featureClass``.
    where : str
        What the messages call it, normally the file name.
    chain : Preprocess, optional
        The chain, where its files were already found; default from ``preprocess``.

    Examples
    --------
    >>> c = canonical({"featureClass": {"ngtdm": None}, "setting": {"binWidth": 25}})
    >>> c["featureClass"]["ngtdm"]
    ['Busyness', 'Coarseness', 'Complexity', 'Contrast', 'Strength']
    >>> c["imageType"], c["setting"]
    ({'Original': {}}, {'binWidth': 25.0})
    """
    top = _mapping(content, where)
    if "voxelSetting" in top:
        raise InvalidInput(
            f"{where}: voxelSetting asks for feature maps; sarcfeat computes one value "
            "per lesion. Remove it."
        )
    for key in top:
        _known(key, _SECTIONS, "section", where)
    if chain is None:
        chain = Preprocess.from_spec(top.get("preprocess"))
    setting = _settings(top.get("setting"), _GLOBAL, f"{where}: setting")
    image_type = _image_types(top.get("imageType"), where)
    families = _families(top.get("featureClass"), where)
    _check_silent(setting, image_type, families, where)
    found = {
        "featureClass": families,
        "imageType": image_type,
        "setting": {k: v for k, v in setting.items() if k not in _WITHOUT_EFFECT},
    }
    # Left out where not asked for: what is as it was keeps its fingerprint.
    if chain:
        found["preprocess"] = chain.spec
    if top.get("featureSet") is not None:
        found.update(_feature_set(top, image_type, where))
    return found


_SECTIONS = ("setting", "imageType", "featureClass", "featureSet", "preprocess")


def _feature_set(
    top: Mapping[str, Any], image_type: Mapping[str, Any], where: str
) -> dict[str, Any]:
    _known(top["featureSet"], FEATURE_SETS, "feature set", where)
    if top.get("featureClass") or set(image_type) != {"Original"}:
        raise InvalidInput(
            f"{where}: featureSet {top['featureSet']} has its own features on the "
            "original image. Remove featureClass and imageType, or featureSet."
        )
    return {"featureSet": top["featureSet"], "featureClass": {}}


def _mapping(content: Any, where: str) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise InvalidInput(
            f"{where} holds {type(content).__name__} {content!r}; expected keys with "
            "values, as in a pyradiomics parameter file."
        )
    return dict(content)


def _known(key: Any, known: Any, kind: str, where: str) -> None:
    try:
        pick(key, known, kind)
    except UnknownName as error:
        raise UnknownName(f"{where}: {error}") from None


def _settings(content: Any, checks: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = _mapping(content, where)
    for key in given:
        _known(key, sorted(checks), "setting", where)
    if "interpolator" in given and given["interpolator"] is None:
        # pyradiomics' way of writing "do not resample"
        given.pop("resampledPixelSpacing", None)
    kept = {key: value for key, value in given.items() if value is not None}
    for key, value in kept.items():
        text, check = checks[key]
        if not check(value):
            raise InvalidInput(f"{where}: {key} is {value!r}; expected {text}.")
    return {key: _plain(key, kept[key]) for key in sorted(kept)}


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        items = [float(v) if key in _AS_FLOAT else v for v in value]
        return items if key == "resampledPixelSpacing" else sorted(items)
    return float(value) if key in _AS_FLOAT else value


def _image_types(content: Any, where: str) -> dict[str, dict[str, Any]]:
    given = _mapping(content, f"{where}: imageType") or {"Original": None}
    for key in given:
        _known(key, FILTERS, "image filter", where)
    return {
        key: _settings(
            given[key],
            {**_FEATURES, **_FILTER_SETTINGS.get(key, {})},
            f"{where}: imageType {key}",
        )
        for key in sorted(given)
    }


def _families(content: Any, where: str) -> dict[str, list[str]]:
    given = _mapping(content, f"{where}: featureClass")
    if not given:
        given = {family: None for family in FAMILIES if family != "shape2D"}
    for key in given:
        _known(key, FAMILIES, "feature class", where)
    return {key: _features(key, given[key], where) for key in sorted(given)}


def _features(family: str, content: Any, where: str) -> list[str]:
    if not content:
        return sorted(n for n, row in FAMILIES[family].items() if row.default)
    if not isinstance(content, (list, tuple)):
        raise InvalidInput(
            f"{where}: featureClass {family} is {content!r}; expected a list of "
            "features, or nothing for all of them."
        )
    for feature in content:
        if (family, feature) in WITHDRAWN:
            raise InvalidInput(
                f"{where}: {family} {feature} is withdrawn from pyradiomics, which "
                f"would leave it out in silence: {WITHDRAWN[family, feature]}."
            )
        _known(feature, FAMILIES[family], f"{family} feature", where)
    return sorted(set(content))


def _check_silent(
    setting: Mapping[str, Any],
    image_type: Mapping[str, Mapping[str, Any]],
    families: Mapping[str, Any],
    where: str,
) -> None:
    """Refuse what pyradiomics would ignore or leave out without an error."""
    for key, needed in _NEEDS.items():
        # `normalize: false` beside a scale is how one switches it off for a trial.
        if key in setting and needed not in setting:
            raise InvalidInput(
                f"{where}: {key} has no effect without {needed}. "
                f"Add {needed}, or remove {key}."
            )
    if "shape2D" in families and not setting.get("force2D", False):
        raise InvalidInput(
            f"{where}: shape2D needs setting force2D: true; without it pyradiomics "
            "gives no shape2D feature."
        )
    for key, own in image_type.items():
        merged = {**setting, **own}
        if "binCount" in merged and "binWidth" in merged and "binCount" not in own:
            raise InvalidInput(
                f"{where}: binWidth is ignored where binCount is given ({key}). "
                "Keep one of them."
            )
        if "binCount" in own and "binWidth" in own:
            raise InvalidInput(
                f"{where}: imageType {key} has binCount and binWidth. Keep one of them."
            )
        if key == "LoG" and "sigma" not in merged:
            raise InvalidInput(
                f"{where}: LoG needs sigma, a list of widths in mm such as [2.0, 4.0]."
            )
    unused = [
        name
        for filter_, own in _FILTER_SETTINGS.items()
        for name in own
        if filter_ not in image_type and name in setting
    ]
    if unused:
        raise InvalidInput(
            f"{where}: {listed(unused)} is set, but no filter that reads it is asked "
            "for in imageType."
        )
