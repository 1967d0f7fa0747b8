"""Neutral ranking, facets with counts, keyset paging, repaired spelling. The index finds, the database tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session
from tantivy import Query

from aggregator.catalog.product_cards import CARD_COLUMNS, product_card, product_slug, read_cards
from aggregator.catalog.search_changes import is_known
from aggregator.catalog.search_database import browse_database, search_database
from aggregator.catalog.search_facets import (
    FACET_PARTS,
    Counts,
    count_categories,
    count_facets,
    filters_of,
    narrowed,
    told_facets,
)
from aggregator.catalog.search_index import SearchIndex, View
from aggregator.catalog.search_order import Page, lowest_totals, newest_ids, ordered_page
from aggregator.catalog.search_queries import (
    OTHER_NAME,
    Spelling,
    matching_query,
    ranking_query,
    spellings_of,
    term,
    with_beginnings,
)
from aggregator.catalog.search_spelling import repaired_spellings
from aggregator.domain.identifiers import read_gtin
from aggregator.domain.products import HomePage, ProductCard, SearchPage, SearchQuery, Suggestions
from aggregator.domain.search_words import code_of, query_words, words_of

__all__ = [
    "CARD_COLUMNS",
    "browse_home",
    "find_identified",
    "product_card",
    "product_slug",
    "search_products",
    "suggest",
]

_SHORTEST_CODE = 5
_SUGGESTED = 6
_COUNTERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="facets")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to take the words of a search, from the strictest on."""

    name: str
    matching: Query
    ranking: Query
    spellings: Sequence[Sequence[Spelling]] = ()

    @property
    def is_repaired(self) -> bool:
        """Whether words were changed."""
        return self.name == "repaired"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the index says to a query, with the counts of its facets as they come."""

    reading: _Reading
    page: Page
    counting: Sequence[Future[Counts]]


def search_products(session: Session, query: SearchQuery, index: SearchIndex | None = None) -> SearchPage:
    """One page of products. Raises InvalidInput for a cursor that this search did not give.

    Words are taken as they are typed; where nothing has them all, as beginnings of words, and then, unless the query
    forbids it, with their spelling repaired. Without an index the database answers.
    """
    view = _view(session, index)
    if view is None:
        return search_database(session, query)
    found: _Found = view.kept(query) or _find(session, view, query)
    reading, page = found.reading, found.page
    cards = read_cards(session, [hit.product_id for hit in page.hits])
    counted = {name: counts for part in found.counting for name, counts in part.result().items()}
    view.keep(query, found)
    facets, available = told_facets(session, query, counted)
    return SearchPage(
        query=query,
        products=tuple(cards.values()),
        total=page.total,
        facets=facets,
        next_cursor=page.next_cursor,
        repaired=_shown_words(reading, query.text, list(cards.values())) if reading.is_repaired else None,
        totals=lowest_totals(page.hits, cards, query.assumed_shipping),
        available=available,
    )


def _find(session: Session, view: View, query: SearchQuery) -> _Found:
    filters = filters_of(view, query, _store_ids(session, query))
    for reading in _readings(view, query):
        # Facets are counted on other threads while this one orders the page and asks the database.
        counting = [
            _COUNTERS.submit(_counted, view, query, reading, filters, part)
            for part in range(len(FACET_PARTS))
        ]
        matches = reading.ranking if query.sorting == "relevance" else reading.matching
        page = ordered_page(view, query, narrowed(matches, filters))
        if page.total or (filters and view.searcher.search(reading.matching, 1, count=False).hits):
            break
    return _Found(reading, page, counting)


def _view(session: Session, index: SearchIndex | None) -> View | None:
    """What can be searched: an index that is there, and of this database. Asked of the database once a state."""
    view = index.view() if index else None
    if view is None or not view.count_once("is ours", lambda: is_known(session, view.position)):
        return None
    return view


def _counted(
    view: View, query: SearchQuery, reading: _Reading, filters: Mapping[str, Query], part: int
) -> Counts:
    alike = replace(query, sorting="relevance", cursor=None, limit=1, assumed_shipping=Decimal(0))
    return view.count_once(
        (alike, reading.name, part), lambda: count_facets(view, reading.matching, filters, part)
    )


def find_identified(session: Session, words: str, index: SearchIndex | None) -> ProductCard | None:
    """The one product that a GTIN or a model number stands for; None where it is none, or several have it."""
    view = _view(session, index)
    code = code_of(words)
    if view is None or code is None:
        return None
    if read_gtin(words) is None and (len(words.split()) > 1 or len(code) < _SHORTEST_CODE or code.isdigit()):
        return None
    hits = view.searcher.search(term(view, "code", code), 2).hits
    ids = view.searcher.fast_field_values("id", [address for _, address in hits])
    return next(iter(read_cards(session, [int(ids[0] or 0)]).values()), None) if len(hits) == 1 else None


def suggest(session: Session, words: str, index: SearchIndex | None) -> Suggestions:
    """What may be meant while it is typed: some products, and the categories that most of those found are in."""
    view = _view(session, index)
    if view is None or not query_words(words):
        return Suggestions((), ())
    for query in _while_typing(view, words):
        hits = view.searcher.search(query, _SUGGESTED, count=False, weight_by_field="weight").hits
        if hits:
            ids = view.searcher.fast_field_values("id", [address for _, address in hits])
            return Suggestions(
                tuple(read_cards(session, [int(number or 0) for number in ids]).values()),
                count_categories(view, query, 3),
            )
    return Suggestions((), ())


def browse_home(session: Session, index: SearchIndex | None = None, *, limit: int = 12) -> HomePage:
    """The front page's products and categories."""
    view = _view(session, index)
    if view is None:
        return browse_database(session, limit)
    query = narrowed(Query.all_query(), filters_of(view, SearchQuery(available_only=True), {}))
    popular, recent, found = view.count_once(
        ("home", limit),
        lambda: (
            newest_ids(view, query, "stores_key", limit),
            newest_ids(view, query, "id", limit),
            count_categories(view, Query.all_query(), 16),
        ),
    )
    return HomePage(
        popular=tuple(read_cards(session, popular).values()),
        recent=tuple(read_cards(session, recent).values()),
        categories=found,
    )


def _store_ids(session: Session, query: SearchQuery) -> dict[str, int]:
    if not query.stores:
        return {}
    rows = session.execute(
        text("select slug, id from stores where slug = any(:slugs)"), {"slugs": list(query.stores)}
    )
    return {row.slug: row.id for row in rows}


def _readings(view: View, query: SearchQuery) -> Iterator[_Reading]:
    """At least one; the last is what there is if none found anything."""
    if not query_words(query.text):
        yield _Reading("all", Query.all_query(), Query.all_query())
        return
    found = spellings_of(view, query.text)
    if all(found):
        yield _reading(view, query, "typed", found)
    longer = with_beginnings(view, query.text, found)
    if longer != found and all(longer):
        yield _reading(view, query, "begun", longer)
    repaired = None if query.as_typed else repaired_spellings(view, query.text, found)
    if repaired:
        yield _reading(view, query, "repaired", repaired)
    else:
        yield _Reading("nothing", Query.empty_query(), Query.empty_query())


def _reading(view: View, query: SearchQuery, name: str, found: Sequence[Sequence[Spelling]]) -> _Reading:
    ranking = ranking_query(view, query.text, found, is_repaired=name == "repaired")
    return _Reading(name, matching_query(view, found), ranking, found)


def _while_typing(view: View, words: str) -> Iterator[Query]:
    """The last word may be only begun."""
    found = spellings_of(view, words)
    completed = with_beginnings(view, words, [*found[:-1], []])
    last = [*found[-1], *completed[-1]]
    if all(completed[:-1]) and last:
        yield ranking_query(view, words, [*completed[:-1], last])
    repaired = repaired_spellings(view, words, found)
    if repaired:
        yield ranking_query(view, words, repaired, is_repaired=True)


def _shown_words(reading: _Reading, typed: str, cards: list[ProductCard]) -> str | None:
    """The repaired words as the best product has them; None where they are what was typed."""
    if not cards or not reading.spellings:
        return None
    of_best = {*words_of(cards[0].title), *words_of(cards[0].brand or "")}
    meant = [
        next((one for one in by_fit if of_best.issuperset(one.words)), by_fit[0])
        for options in reading.spellings
        if (by_fit := sorted((one for one in options if one.fit > OTHER_NAME), key=lambda one: -one.fit))
    ]
    shown = " ".join(word for one in meant for word in one.words)
    return shown if shown != " ".join(query_words(typed)) else None
