"""Pure functions of numbers: how good a risk, how repeatable a feature."""
