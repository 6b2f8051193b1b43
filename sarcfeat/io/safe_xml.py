"""XML from strangers: no entities, no document types, no depth without end."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from sarcfeat.exceptions import InputCorrupt, UntrustedFile

__all__ = ["parse_xml"]

DEEPEST = 64


def parse_xml(text: bytes | str, what: str) -> Element:
    """Return the root of a document.

    Parameters
    ----------
    text : bytes or str
        The document.
    what : str
        Where it comes from, for the message.

    Raises
    ------
    UntrustedFile
        It declares a document type or entities: a few lines of those can fill the
        memory or open other files.
    InputCorrupt
        It is no well-formed XML; the message has line and column.

    Examples
    --------
    >>> parse_xml("<a><b x='1'/></a>", "a.xml")[0].get("x")
    '1'
    """
    parser = expat.ParserCreate()
    builder = TreeBuilder()
    depth = 0

    def refuse(*_: object) -> None:
        raise UntrustedFile(
            f"{what} declares a document type or entities (DTD). Annotations need "
            "none, and a few such lines can fill the memory: export the file again."
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InputCorrupt(f"{what} has elements more than {DEEPEST} deep.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, (UntrustedFile, InputCorrupt)):
            raise
        raise InputCorrupt(
            f"{what} is no well-formed XML: {error}. Export it again."
        ) from error
    return builder.close()
