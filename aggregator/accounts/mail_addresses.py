"""Mail addresses as people type them."""

from __future__ import annotations

import re

from aggregator.domain.errors import InvalidInput

# No judgement by RFC 5321, only a guard against slips and against what PostgreSQL's text cannot hold.
_PART = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f\ud800-\udfff]"
_EMAIL = re.compile(rf"{_PART}{{1,64}}@{_PART}{{1,190}}")


def is_mail_address(address: str) -> bool:
    """Whether it can be a mail address at all."""
    return bool(_EMAIL.fullmatch(address))


def read_mail_address(text: str) -> str:
    """The address in lower case; raises InvalidInput."""
    address = text.strip().lower()
    if not is_mail_address(address):
        raise InvalidInput(f"{text!r} is not a mail address", place="email", remedy="write it as name@host")
    return address
