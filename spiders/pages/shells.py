"""Pages whose text is made by scripts in a browser: told apart from pages that say little."""

from __future__ import annotations

from selectolax.lexbor import LexborNode

from spiders.pages.base import Document

_SHELL_WORDS = 40
_UNSEEN = frozenset({"script", "style", "noscript", "template"})


def is_shell(document: Document) -> bool:
    """Whether the page has next to no text of its own, no heading, and scripts that would fill it."""
    body = document.tree.body
    if body is None or document.first_level_headings or not any(map(_runs, document.script_nodes)):
        return False
    words = 0
    for node in body.traverse(include_text=True):
        if node.is_text_node and node.parent is not None and node.parent.tag not in _UNSEEN:
            words += len((node.text_content or "").split())
            if words > _SHELL_WORDS:
                return False
    return True


def _runs(script: LexborNode) -> bool:
    kind = (script.attributes.get("type") or "").lower()
    return kind in {"", "module", "text/javascript", "application/javascript"}
