"""``python -m pipelines`` lists the published systems; none runs here yet."""

import sys

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


def main(arguments: list[str]) -> int:
    """List the systems; refuse to run one that is not built."""
    if not arguments:
        for name, (paper, endpoint, needs) in SYSTEMS.items():
            print(f"{name:21} not built yet  {paper}; {endpoint}; needs {needs}")
        return 0
    known = ", ".join(SYSTEMS)
    if arguments[0] not in SYSTEMS:
        print(f"No system {arguments[0]!r}. Known: {known}.", file=sys.stderr)
        return 2
    print(
        f"{arguments[0]} is not built in this version; `sarcfeat demo` runs the main "
        "job (radiomics and clinical variables to a nomogram).",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
