"""Contenders side by side: nomograms compared, and what leakage costs."""
