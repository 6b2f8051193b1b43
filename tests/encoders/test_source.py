"""What of an encoder's code makes a new extractor, and what does not."""

import ast
from pathlib import Path

import pytest

import sarcfeat.encoders
from sarcfeat.encoders import identity
from sarcfeat.encoders.source import bare_source

FILES = sorted(Path(sarcfeat.encoders.__file__).parent.glob("*.py"))
CODE = '''"""A module."""

import math  # for pi

NAME = "a # no comment"
TEXT = """first

third"""


class Disc:
    """A disc."""

    def area(self, r):
        """Return it.

        In mm².
        """
        # The usual way.
        return math.pi * r**2  # mm²

    def odd(self): "é"; return 1
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A module.", "Another module."),
        ("# for pi", "# for π, of course"),
        ("        # The usual way.\n", ""),
        ("  # mm²", ""),
        ("In mm².", "In mm² as ever.\n\n        More."),
        ('        """Return it.\n\n        In mm².\n        """\n', ""),
        ("\n\n\nclass", "\nclass"),
        ('"é"; ', '"ü"; '),
        ("\n", "\r\n"),
    ],
)
def test_comments_docstrings_and_empty_lines_do_not_count(old, new):
    assert CODE.replace(old, new) != CODE
    assert bare_source(CODE.replace(old, new)) == bare_source(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r**2", "r**3"),
        ("a # no comment", "a # comment"),
        ("first\n\nthird", "first\nthird"),
        ("import math", "import cmath as math"),
        ("return 1", "return 2"),
    ],
)
def test_code_and_texts_count(old, new):
    assert bare_source(CODE.replace(old, new)) != bare_source(CODE)


def test_what_is_left_is_the_code():
    assert "no comment" in bare_source(CODE)
    for gone in ("A module", "for pi", "A disc", "Return it", "usual", "é"):
        assert gone not in bare_source(CODE)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_code_of_every_encoder_is_kept(path):
    """Nothing but docstrings is lost: the rest parses to the same tree."""
    source = path.read_text(encoding="utf-8")
    bare = ast.parse(source)
    for node in ast.walk(bare):
        if hasattr(node, "body") and isinstance(node.body, list):
            told = node.body and isinstance(node.body[0], ast.Expr)
            if told and isinstance(getattr(node.body[0].value, "value", None), str):
                node.body = node.body[1:] or [ast.Pass()]
    left = bare_source(source)
    try:
        again = ast.parse(left)
    except IndentationError:  # a class of a docstring alone
        pytest.skip("a body that is nothing but a docstring")
    assert ast.dump(again) == ast.dump(bare)


def test_code_hash_reads_the_files_by_name():
    one, other = identity.code_hash(["region.py"]), identity.code_hash(["crop.py"])
    assert one != other
    assert one == identity.code_hash(["region.py"])
    assert identity.code_hash(["region.py", "crop.py"]) not in (one, other)
