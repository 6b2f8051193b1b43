"""Results as one documented JSON file and one self-contained HTML report."""

from sarcfeat.report.html import Figure, Section, Table, write_html
from sarcfeat.report.lesions import lesion_page, preprocessing_figure
from sarcfeat.report.results import build_results, versions, write_json

__all__ = [
    "Figure",
    "Section",
    "Table",
    "build_results",
    "lesion_page",
    "preprocessing_figure",
    "versions",
    "write_html",
    "write_json",
]
