"""The honest-evaluation layer: nested cross-validation, comparison, tuning, null test.

Everything here returns tables; nothing is drawn and nothing is printed.
"""

from sarcfeat.evaluate.associations import Associations, associations
from sarcfeat.evaluate.attention_table import attention_table, extreme_tiles
from sarcfeat.evaluate.bootstrap_632plus import (
    Bootstrap632Plus,
    bootstrap_632plus,
    plus_632,
)
from sarcfeat.evaluate.compare import compare
from sarcfeat.evaluate.comparison_table import comparison_table
from sarcfeat.evaluate.cox_table import CoxTable, cox_table
from sarcfeat.evaluate.external_validation import (
    ExternalValidation,
    external_validation,
)
from sarcfeat.evaluate.leakage_audit import LeakageAudit, leakage_audit
from sarcfeat.evaluate.leave_one_site_out import leave_one_site_out
from sarcfeat.evaluate.metric_table import metric_table
from sarcfeat.evaluate.nested import NestedCV, nested_cv
from sarcfeat.evaluate.null_test import NullTest, null_test
from sarcfeat.evaluate.optimism_corrected import optimism_corrected
from sarcfeat.evaluate.prognostic_table import PrognosticTable, prognostic_table
from sarcfeat.evaluate.review_table import ReviewTable, review_table
from sarcfeat.evaluate.review_variables import REVIEW_VARIABLES
from sarcfeat.evaluate.survival_table import SurvivalTable, survival_table
from sarcfeat.evaluate.table_one import TableOne, table_one
from sarcfeat.evaluate.tile_review import ReviewForm, review_form
from sarcfeat.evaluate.tune import Tuned, TuneResult, tune

__all__ = [
    "REVIEW_VARIABLES",
    "Associations",
    "Bootstrap632Plus",
    "CoxTable",
    "ExternalValidation",
    "LeakageAudit",
    "NestedCV",
    "NullTest",
    "PrognosticTable",
    "ReviewForm",
    "ReviewTable",
    "SurvivalTable",
    "TableOne",
    "TuneResult",
    "Tuned",
    "associations",
    "attention_table",
    "bootstrap_632plus",
    "compare",
    "comparison_table",
    "cox_table",
    "external_validation",
    "extreme_tiles",
    "leakage_audit",
    "leave_one_site_out",
    "metric_table",
    "nested_cv",
    "null_test",
    "optimism_corrected",
    "plus_632",
    "prognostic_table",
    "review_form",
    "review_table",
    "survival_table",
    "table_one",
    "tune",
]
