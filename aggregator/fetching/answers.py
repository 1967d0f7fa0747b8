"""What a store answered, and its body decoded within limits."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from w3lib.encoding import html_to_unicode

from aggregator.domain.errors import FetchFailed, FetchRefused, UnreadableAnswer

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `url` is where it came from after redirects, header names are lower-case.

    `is_downgraded` notes that a redirect led from https to http.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_downgraded: bool = False

    @property
    def text(self) -> str:
        """The body as text: the charset of BOM, header or markup, else UTF-8; errors are replaced."""
        return html_to_unicode(self.headers.get("content-type"), self.body, default_encoding="utf-8")[1]

    def expect_ok(self) -> Answer:
        """Itself where the status is 200; raises FetchFailed otherwise."""
        if self.status != 200:
            raise FetchFailed(self.url, f"answered HTTP {self.status}", status=self.status)
        return self

    def json(self) -> Any:
        """The body as JSON with Decimals in place of floats. Raises UnreadableAnswer, also for NaN."""
        try:
            return json.loads(
                self.body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant
            )
        except (ValueError, ArithmeticError, RecursionError) as error:
            start = self.body[:40].decode("utf-8", "replace").split("\n")[0]
            raise UnreadableAnswer(self.url, f"is not the JSON it should be (begins {start!r})") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def decoded(raw: Iterable[bytes], *, url: str, encoding: str, max_bytes: int) -> Iterator[bytes]:
    """The body's pieces with its content encoding undone, never more than `max_bytes` in all.

    Decompression goes in bounded pieces, so that a small bomb cannot fill the memory first. Raises
    FetchRefused beyond the limit, UnreadableAnswer for a broken stream or an encoding not asked for.
    """
    pieces: Iterable[bytes] = raw
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in {"gzip", "x-gzip"}:
            pieces = gunzipped(pieces, url=url)
        elif name == "deflate":
            pieces = _inflated(pieces, zlib.decompressobj(), url)
        elif name != "identity":
            raise UnreadableAnswer(url, f"came in an encoding that was not asked for ({name[:20]})")
    return _bounded(pieces, url, max_bytes)


def gunzipped(pieces: Iterable[bytes], *, url: str) -> Iterator[bytes]:
    """A gzip stream's content, in pieces of at most 64 KiB."""
    return _inflated(pieces, zlib.decompressobj(wbits=31), url)


def gunzipped_if_gzip(pieces: Iterable[bytes], *, url: str) -> Iterator[bytes]:
    """The pieces, decompressed where they begin like a gzip file, whatever its name is."""
    remaining = iter(pieces)
    head = b""
    for piece in remaining:
        head += piece
        if len(head) >= len(_GZIP_MAGIC):
            break
    whole = _chained(head, remaining)
    return gunzipped(whole, url=url) if head.startswith(_GZIP_MAGIC) else whole


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _inflated(pieces: Iterable[bytes], inflater: zlib._Decompress, url: str) -> Iterator[bytes]:
    began = False
    try:
        for piece in pieces:
            began = began or bool(piece)
            pending = piece
            while pending and not inflater.eof:
                yield inflater.decompress(pending, _PIECE)
                pending = inflater.unconsumed_tail
    except zlib.error as error:
        raise UnreadableAnswer(url, f"is compressed in a broken way ({error})") from error
    if began and not inflater.eof:
        raise UnreadableAnswer(url, "ends in the middle of its compressed content")


def _bounded(pieces: Iterable[bytes], url: str, max_bytes: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > max_bytes:
            raise FetchRefused(url, f"is larger than {max_bytes:,} bytes")
        if piece:
            yield piece
