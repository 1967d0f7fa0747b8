"""A small XML document as plain values: objects by element name, lists where a name repeats, texts."""

from __future__ import annotations

from typing import Any

from lxml import etree

from aggregator.domain.errors import UnreadableAnswer

_DEEPEST = 12


def xml_values(body: bytes, *, url: str) -> dict[str, Any]:
    """What is inside of the root element. Elements that differ by a language are [{"id", "value"}, …].

    Entities are not resolved, nothing is loaded. Raises UnreadableAnswer.
    """
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableAnswer(url, f"is no readable XML ({error})"[:200]) from error
    values = _plain(root, _DEEPEST)
    return values if isinstance(values, dict) else {}


def _plain(element: etree._Element, depth: int) -> Any:
    children = [child for child in element if isinstance(child.tag, str)]
    if not children or not depth:
        return "".join(str(piece) for piece in element.itertext()).strip()
    names = [str(child.tag).rpartition("}")[2] for child in children]
    if set(names) == {"language"}:
        return [{"id": child.get("id"), "value": _plain(child, 0)} for child in children]
    if len(names) > 1 and len(set(names)) == 1:
        return [_plain(child, depth - 1) for child in children]
    return {name: _plain(child, depth - 1) for name, child in zip(names, children, strict=True)}
