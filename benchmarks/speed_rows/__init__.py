"""Rows of ``python -m benchmarks.speed``: a module a topic, with ``rows(quick)``."""
