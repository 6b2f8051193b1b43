"""Pure functions of numbers: how good a risk, how repeatable a feature."""

from sarcfeat.metrics.agreement import Agreement, fleiss_kappa, kendall_w
from sarcfeat.metrics.bootstrap_difference import (
    BootstrapDifference,
    bootstrap_auc_difference,
    bootstrap_concordance_difference,
)
from sarcfeat.metrics.bootstrap_interval import bootstrap_interval
from sarcfeat.metrics.brier import (
    Brier,
    BrierDifference,
    brier,
    brier_competing,
    brier_difference,
    brier_reference,
)
from sarcfeat.metrics.calibration import Calibration, calibration
from sarcfeat.metrics.competing_calibration import calibration_groups_competing
from sarcfeat.metrics.concordance import Concordance, concordance
from sarcfeat.metrics.concordance_difference import (
    ConcordanceDifference,
    concordance_difference,
)
from sarcfeat.metrics.contingency import (
    FisherExact,
    TableTest,
    chi_squared,
    fisher_exact,
    mcnemar,
)
from sarcfeat.metrics.correlation import Correlation, correlation
from sarcfeat.metrics.cox_indices import cox_indices
from sarcfeat.metrics.cross_validated import (
    CrossValidatedConcordance,
    PairedDifference,
    cross_validated_concordance,
    paired_difference,
)
from sarcfeat.metrics.decision_curve import (
    decision_curve,
    decision_curve_competing,
    decision_curve_survival,
    net_benefit_survival,
)
from sarcfeat.metrics.delong import (
    AUC,
    AUCDifference,
    delong,
    delong_test,
    delong_unpaired,
)
from sarcfeat.metrics.diagnostic import diagnostic_accuracy, wilson
from sarcfeat.metrics.fold_pairs import FoldPairs
from sarcfeat.metrics.group_comparison import (
    GroupComparison,
    compare_categories,
    compare_groups,
    looks_normal,
)
from sarcfeat.metrics.group_tests import (
    GroupTest,
    anova,
    bartlett,
    friedman,
    kolmogorov_smirnov,
    kruskal_wallis,
    mann_whitney,
    pairwise_mann_whitney,
    shapiro,
    t_test,
    tukey_hsd,
    wilcoxon,
)
from sarcfeat.metrics.heagerty_auc import heagerty_auc
from sarcfeat.metrics.hosmer_lemeshow import HosmerLemeshow, hosmer_lemeshow
from sarcfeat.metrics.icc import ICC, icc
from sarcfeat.metrics.integrated_brier import IntegratedBrier, integrated_brier
from sarcfeat.metrics.kappa import Kappa, kappa
from sarcfeat.metrics.logistic_fit import LogisticFit, fit_logistic
from sarcfeat.metrics.multiple_testing import adjust_p
from sarcfeat.metrics.nested_models import (
    LikelihoodRatio,
    likelihood_ratio,
    nested_cox_test,
)
from sarcfeat.metrics.optimism import bootstrap_optimism
from sarcfeat.metrics.reclassification import (
    IDI,
    NRI,
    idi,
    idi_survival,
    nri,
    nri_survival,
)
from sarcfeat.metrics.resampled_slope import resampled_slope
from sarcfeat.metrics.resampled_t import ResampledT, corrected_resampled_t
from sarcfeat.metrics.roc import ROC, roc
from sarcfeat.metrics.scorers import Scorer, get_scorer, scorer_names
from sarcfeat.metrics.survival_calibration import (
    SurvivalCalibration,
    calibration_groups,
    survival_calibration,
)
from sarcfeat.metrics.time_dependent_auc import (
    TimeDependentAUC,
    time_dependent_auc,
    time_dependent_auc_competing,
)
from sarcfeat.metrics.time_dependent_auc_difference import (
    TimeDependentAUCDifference,
    time_dependent_auc_difference,
)
from sarcfeat.metrics.time_dependent_roc import TimeDependentROC, time_dependent_roc
from sarcfeat.metrics.uno import uno_concordance

__all__ = [
    "AUC",
    "ICC",
    "IDI",
    "NRI",
    "ROC",
    "AUCDifference",
    "Agreement",
    "BootstrapDifference",
    "Brier",
    "BrierDifference",
    "Calibration",
    "Concordance",
    "ConcordanceDifference",
    "Correlation",
    "CrossValidatedConcordance",
    "FisherExact",
    "FoldPairs",
    "GroupComparison",
    "GroupTest",
    "HosmerLemeshow",
    "IntegratedBrier",
    "Kappa",
    "LikelihoodRatio",
    "LogisticFit",
    "PairedDifference",
    "ResampledT",
    "Scorer",
    "SurvivalCalibration",
    "TableTest",
    "TimeDependentAUC",
    "TimeDependentAUCDifference",
    "TimeDependentROC",
    "adjust_p",
    "anova",
    "bartlett",
    "bootstrap_auc_difference",
    "bootstrap_concordance_difference",
    "bootstrap_interval",
    "bootstrap_optimism",
    "brier",
    "brier_competing",
    "brier_difference",
    "brier_reference",
    "calibration",
    "calibration_groups",
    "calibration_groups_competing",
    "chi_squared",
    "compare_categories",
    "compare_groups",
    "concordance",
    "concordance_difference",
    "corrected_resampled_t",
    "correlation",
    "cox_indices",
    "cross_validated_concordance",
    "decision_curve",
    "decision_curve_competing",
    "decision_curve_survival",
    "delong",
    "delong_test",
    "delong_unpaired",
    "diagnostic_accuracy",
    "fisher_exact",
    "fit_logistic",
    "fleiss_kappa",
    "friedman",
    "get_scorer",
    "heagerty_auc",
    "hosmer_lemeshow",
    "icc",
    "idi",
    "idi_survival",
    "integrated_brier",
    "kappa",
    "kendall_w",
    "kolmogorov_smirnov",
    "kruskal_wallis",
    "likelihood_ratio",
    "looks_normal",
    "mann_whitney",
    "mcnemar",
    "nested_cox_test",
    "net_benefit_survival",
    "nri",
    "nri_survival",
    "paired_difference",
    "pairwise_mann_whitney",
    "resampled_slope",
    "roc",
    "scorer_names",
    "shapiro",
    "survival_calibration",
    "t_test",
    "time_dependent_auc",
    "time_dependent_auc_competing",
    "time_dependent_auc_difference",
    "time_dependent_roc",
    "tukey_hsd",
    "uno_concordance",
    "wilcoxon",
    "wilson",
]
