"""``python -m sarcfeat`` is the ``sarcfeat`` command."""

from sarcfeat.cli import main

main()
