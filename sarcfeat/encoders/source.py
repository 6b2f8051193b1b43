"""Source code as far as it decides numbers: without comments and docstrings."""

from __future__ import annotations

import ast
import io
import tokenize

__all__ = ["bare_source"]

LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT),
    *(tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING),
}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def bare_source(source: str) -> str:
    r"""Return Python code without its comments, docstrings and empty lines.

    The code that is left is as it was written, so that every version of Python gives
    the same text.

    Examples
    --------
    >>> print(bare_source('def f(x):\n    "Double."\n\n    return 2 * x  # twice\n'))
    def f(x):
        return 2 * x
    """
    source = source.replace("\r\n", "\n")
    lines = source.split("\n")
    kept: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
        elif token.type not in LAYOUT:
            # All lines of a text over several lines, its empty ones too.
            kept.update(range(row, token.end[0] + 1))
    cut = [line.encode() for line in lines]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            _cut(cut, node.body[0], kept)
    return b"\n".join(cut[row - 1] for row in sorted(kept)).decode()


def _cut(lines: list[bytes], text: ast.stmt, kept: set[int]) -> None:
    """Take a docstring out of its lines; a line that it leaves empty goes."""
    first, last = text.lineno, text.end_lineno or text.lineno
    before = lines[first - 1][: text.col_offset]
    after = lines[last - 1][text.end_col_offset :]
    kept.difference_update(range(first, last + 1))
    if before.strip() or after.strip():
        lines[first - 1] = (before + after).rstrip()
        kept.add(first)
