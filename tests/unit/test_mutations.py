"""Damaged pages and answers: an offer, a quarantined row, or nothing; never an error, never a hang."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from aggregator.domain.errors import StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.stores import Store
from aggregator.platforms import installed_platforms
from aggregator.testing import same_answer_fetcher
from spiders.pages import select_page

FIXTURES = Path(__file__).parents[2] / "fixtures"
PAGES = sorted((FIXTURES / "pages").rglob("*.html"))
ANSWERS = sorted(
    path
    for path in (FIXTURES / "cassettes").rglob("*")
    if path.suffix in {".json", ".js", ".xml", ".csv", ".tsv"}
)
CHUNKS = 20
MOST_SECONDS = 20
JUNK = (
    b"\x00", b"\xff\xfe", b"<", b">", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b"&#0;", b"&#x110000;", b"null",
    b"NaN", b"1e999", b"-", b"9" * 400, b"[" * 3000, b"{\"a\":" * 500, b"<div>" * 2000, b"</script>", b"<script>",
    b"<!--", b"]]>", b"\\u0000", b"\\ud800", "١٢٣ ₪".encode(), "\u202e".encode(), b"true", b'"price"', b'"@graph"',
    b'"@id":"#x"', b'itemprop="price"', b"<br itemscope itemref='a a a'>", b"&" * 500, b"\\" * 999,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A page as the spider hands it on."""

    url: str
    text: str


def mutate(body: bytes, rng: random.Random) -> bytes:
    """One to six random injuries: cut, drop, double, swap, overwrite, insert."""
    for _ in range(rng.randint(1, 6)):
        size = len(body)
        one, other = sorted((rng.randint(0, size), rng.randint(0, size)))
        other = min(other, one + 4000)
        match rng.randrange(6):
            case 0:
                body = body[:one] if rng.random() < 0.2 else body[:one] + body[other:]
            case 1:
                body = body[:one] + body[one:other] * 2 + body[other:]
            case 2:
                body = body[:one] + rng.choice(JUNK) + body[one:]
            case 3:
                body = body[:one] + rng.choice(JUNK) + body[other:]
            case 4:
                body = (
                    body[:one] + bytes(rng.randrange(256) for _ in range(min(other - one, 20))) + body[other:]
                )
            case _:
                body = body.replace(
                    body[one : one + rng.randint(1, 12)] or b"x", rng.choice(JUNK), rng.randint(1, 50)
                )
    return body[:400_000]


@contextmanager
def no_hang(what: str) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"{what} takes longer than {MOST_SECONDS} s")

    # Of the processor's time: a busy machine is no hang.
    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def check(offers: Iterator[RawOffer | InvalidOffer]) -> None:
    for offer in islice(offers, 2_000):
        assert isinstance(offer, RawOffer | InvalidOffer)
        if isinstance(offer, RawOffer):
            assert isinstance(normalize_offer(offer, default_currency="EUR"), Offer | InvalidOffer)


def read_page(body: bytes, _: Path) -> None:
    page = select_page(Answer("https://shop.example/p/1", body.decode("utf-8", "replace")))
    check(iter(page.to_raw_offers()))


def read_answer(body: bytes, path: Path) -> None:
    """By the platform that the answer was recorded of; now and then by another one."""
    sources = [platform for platform in installed_platforms().values() if platform.source]
    own = next((platform for platform in sources if platform.name == path.parent.name), None)
    platform = own if own and body[-1:] > b"\x10" else sources[len(body) % len(sources)]
    options = {
        name: f"https://shop.example/{name}" if name.endswith("url") else name
        for name in (*platform.options, *platform.secret_options)
        if name != "columns"  # no column map would end every feed before it is read
    }
    store = Store(
        id="s",
        slug="s",
        name="S",
        url="https://shop.example",
        platform=platform.name,
        currency="EUR",
        options=options,
    )
    assert platform.source is not None
    with same_answer_fetcher(body) as fetcher:
        try:
            check(platform.source.fetch_offers(store, fetcher))
        except StoreError:
            return  # said so in one line: that is an answer too


def damage(paths: list[Path], read: Callable[[bytes, Path], None], seed: int, count: int) -> None:
    rng = random.Random(seed)
    bodies = [path.read_bytes() for path in paths]
    for number in range(count):
        which = rng.randrange(len(bodies))
        with no_hang(f"{paths[which].name}, seed {seed}, number {number}"):
            read(mutate(bodies[which], rng), paths[which])


def test_a_sample_of_damaged_pages_does_no_harm() -> None:
    damage(PAGES, read_page, seed=1, count=800)


def test_a_sample_of_damaged_answers_does_no_harm() -> None:
    damage(ANSWERS, read_answer, seed=2, count=400)


@pytest.mark.prove
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_fifty_thousand_damaged_pages_do_no_harm(chunk: int) -> None:
    damage(PAGES, read_page, seed=1000 + chunk, count=50_000 // CHUNKS)


@pytest.mark.prove
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_fifty_thousand_damaged_answers_do_no_harm(chunk: int) -> None:
    damage(ANSWERS, read_answer, seed=2000 + chunk, count=50_000 // CHUNKS)
