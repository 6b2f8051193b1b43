"""Results as one documented JSON file and one self-contained HTML report."""

from sarcfeat.report.html import Figure, Section, Table, write_html
from sarcfeat.report.lesions import lesion_page, preprocessing_figure
from sarcfeat.report.results import build_results, model_rows, versions, write_json
from sarcfeat.report.table_export import to_frame, to_html, to_latex

__all__ = [
    "Figure",
    "Section",
    "Table",
    "build_results",
    "lesion_page",
    "model_rows",
    "preprocessing_figure",
    "to_frame",
    "to_html",
    "to_latex",
    "versions",
    "write_html",
    "write_json",
]
