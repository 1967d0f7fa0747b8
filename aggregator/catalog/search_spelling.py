"""Repairing words that no product has, or that none has together: by the words of the products that come closest.

The index itself holds the vocabulary: products that have every word nearly (one edit, two in long words; swapped
letters are one) are looked up, and their own words say what may have been meant. So what is repaired to is always
something that is sold.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import OSA
from tantivy import Occur, Query

from aggregator.catalog.search_index import View
from aggregator.catalog.search_queries import Spelling, term
from aggregator.domain.search_words import query_words

_LOOKED_AT = 120
_MOST_SPELLINGS = 8
_LONG_WORD = 5
_SHORTEST_REPAIRED = 2


def repaired_spellings(view: View, text: str) -> list[list[Spelling]] | None:
    """For each word what may have been meant, the likeliest first; None where nothing comes close.

    Digits are never changed: another number is another product.
    """
    words = query_words(text)
    for least in dict.fromkeys((len(words), max(len(words) - 1, 1))):
        near = _near_products(view, words, least)
        if near:
            return [_meant(word, near) for word in words] if least == len(words) else _kept(words, near)
    return None


def _kept(words: Sequence[str], near: Sequence[tuple[str, ...]]) -> list[list[Spelling]] | None:
    """The words that something comes close to; the rest are left out."""
    kept = [spellings for word in words if (spellings := _meant(word, near))]
    return kept or None


def _near_products(view: View, words: Sequence[str], least: int) -> list[tuple[str, ...]]:
    """The titles' words of products that nearly have at least so many of the words, the closest first."""
    clauses = [(Occur.Should, _nearly(view, word)) for word in words]
    query = Query.boolean_query(clauses, minimum_number_should_match=least)
    hits = view.searcher.search(query, _LOOKED_AT, count=False).hits
    return [tuple(str(view.searcher.doc(address).get_first("title")).split()) for _, address in hits]


def _nearly(view: View, word: str) -> Query:
    options = [Query.const_score_query(term(view, "title", word), 4.0)]
    edits = _edits(word)
    for distance, score in ((1, 2.0), (2, 1.0)):
        if distance <= edits:
            near = Query.fuzzy_term_query(view.schema, "title", word, distance, True)
            options.append(Query.const_score_query(near, score))
    return Query.disjunction_max_query(options)


def _edits(word: str) -> int:
    """How many letters may be wrong."""
    if len(word) < _SHORTEST_REPAIRED or word.isdigit():
        return 0
    return 2 if len(word) > _LONG_WORD and word.isalpha() else 1


def _meant(word: str, near: Sequence[tuple[str, ...]]) -> list[Spelling]:
    """The words of these products that this one may stand for."""
    digits = [letter for letter in word if letter.isdigit()]
    edits = _edits(word)
    found: dict[str, float] = {}
    for title in near:
        for candidate in title:
            if candidate in found:
                continue
            distance = OSA.distance(word, candidate, score_cutoff=edits)
            if distance <= edits and digits == [letter for letter in candidate if letter.isdigit()]:
                found[candidate] = (
                    1.0 if not distance else 0.8 - 0.5 * distance / max(len(word), len(candidate))
                )
    best = sorted(found.items(), key=lambda one: -one[1])[:_MOST_SPELLINGS]
    return [Spelling((candidate,), fit) for candidate, fit in best]
