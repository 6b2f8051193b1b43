"""Cohorts by name, from a folder, or simulated with a known truth."""

from sarcfeat.datasets.cohort import ROLES, Cohort
from sarcfeat.datasets.folder import load_folder
from sarcfeat.datasets.simulated import make_cohort
from sarcfeat.datasets.simulated_bags import SimulatedBags, make_bags
from sarcfeat.datasets.simulated_slides import make_slides
from sarcfeat.datasets.sts import load_sts
from sarcfeat.datasets.tcga_sarc import load_tcga_sarc

__all__ = [
    "ROLES",
    "Cohort",
    "SimulatedBags",
    "load_folder",
    "load_sts",
    "load_tcga_sarc",
    "make_bags",
    "make_cohort",
    "make_slides",
]
