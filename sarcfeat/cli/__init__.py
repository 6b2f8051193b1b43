"""The ``sarcfeat`` command."""

from sarcfeat.cli.app import app, main

__all__ = ["app", "main"]
