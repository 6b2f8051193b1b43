"""A fitted Cox model as points, tables, a JSON document and an HTML calculator."""

from sarcfeat.nomogram.nomogram import Nomogram
from sarcfeat.nomogram.pretty import pretty
from sarcfeat.nomogram.variable import Variable

__all__ = ["Nomogram", "Variable", "pretty"]
