"""The honest-evaluation layer: nested cross-validation, comparison, tuning, null test.

Everything here returns tables; nothing is drawn and nothing is printed.
"""

from sarcfeat.evaluate.compare import compare
from sarcfeat.evaluate.cox_table import CoxTable, cox_table
from sarcfeat.evaluate.leakage_audit import LeakageAudit, leakage_audit
from sarcfeat.evaluate.nested import NestedCV, nested_cv
from sarcfeat.evaluate.null_test import NullTest, null_test
from sarcfeat.evaluate.tune import Tuned, TuneResult, tune

__all__ = [
    "CoxTable",
    "LeakageAudit",
    "NestedCV",
    "NullTest",
    "TuneResult",
    "Tuned",
    "compare",
    "cox_table",
    "leakage_audit",
    "nested_cv",
    "null_test",
    "tune",
]
