"""``python -m pipelines`` lists the published systems; with a name it runs one."""

import importlib
import sys

from pipelines.study import parse
from sarcfeat.exceptions import SarcfeatError

SYSTEMS = {
    "region_mil": (
        "Michot 2025: attention-MIL on slide regions",
        "metastasis-free survival",
        "slides with region annotations",
    ),
    "radiotranscriptomics": (
        "Crombé 2024: radiomics, autoencoders and RNA-seq",
        "metastasis-free survival",
        "MRI (T1, T2, CE-T1) with masks, expression",
    ),
    "roinet_nomogram": (
        "Zhu 2024: ROI-Net and radiomics nomogram",
        "progression-free survival",
        "MRI (T1, T2-FS) with masks of two readers",
    ),
    "dlr_nomogram": (
        "Retroperitoneal leiomyosarcoma, deep-learning radiomics nomogram",
        "metachronous distant metastasis",
        "three-phase CT with masks of two readers",
    ),
    "gradient_blending": (
        "Bozzo 2024: multimodal network with gradient blending",
        "overall survival, distant metastasis",
        "MRI (T1-CE, T2-FS) with masks, clinical table",
    ),
}


# Those that run in this version.
BUILT = ("region_mil",)
INTERRUPTED = 130  # as shells say it


def main(arguments: list[str]) -> int:
    """List the systems, or run one; refuse one that is not built."""
    if not arguments:
        for name, (paper, endpoint, needs) in SYSTEMS.items():
            state = "" if name in BUILT else "not built yet; "
            print(f"{name:21} {state}{paper}; {endpoint}; needs {needs}")
        return 0
    name, *rest = arguments
    if name not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        print(f"No system {name!r}. Known: {known}.", file=sys.stderr)
        return 2
    if name not in BUILT:
        print(
            f"{name} is not built in this version; `sarcfeat demo` runs the main "
            "job (radiomics and clinical variables to a nomogram).",
            file=sys.stderr,
        )
        return 1
    try:
        results = importlib.import_module(f"pipelines.{name}").run(parse(name, rest))
    except SarcfeatError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        told = "Interrupted. What is encoded is kept: the same command goes on there."
        print(told, file=sys.stderr)
        return INTERRUPTED
    return 1 if results["units"]["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
