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
from aggregator.catalog.search_queries import OTHER_NAME, Spelling, all_of, things_of
from aggregator.domain.search_words import synonyms

_LOOKED_AT = 120
_MOST_SPELLINGS = 5
_LONG_WORD = 5
_SHORTEST_REPAIRED = 2


def repaired_spellings(
    view: View, text: str, found: Sequence[Sequence[Spelling]]
) -> list[list[Spelling]] | None:
    """For each thing what may have been meant, the likeliest first; None where nothing comes close.

    `found` are its spellings that are known. Where no product comes close to all, one thing is left out. Digits are
    never changed: another number is another product.
    """
    things = [(" ".join(name), known) for (name, _), known in zip(things_of(text), found, strict=True)]
    for least in dict.fromkeys((len(things), max(len(things) - 1, 1))):
        near = _near_products(view, things, least)
        if least < len(things):
            near = near[:1]
        meant = [_meant(word, known, near) for word, known in things]
        if near and least < len(things):
            meant = [options for options in meant if options]
        if near and meant and all(meant):
            return meant
    return None


def _near_products(
    view: View, things: Sequence[tuple[str, Sequence[Spelling]]], least: int
) -> list[tuple[str, ...]]:
    """The titles' words of products that nearly have at least so many of the things, the closest first."""
    clauses = [(Occur.Should, _nearly(view, word, known)) for word, known in things]
    query = Query.boolean_query(clauses, minimum_number_should_match=least)
    hits = view.searcher.search(query, _LOOKED_AT, count=False).hits
    return [tuple(str(view.searcher.doc(address).get_first("title")).split()) for _, address in hits]


def _nearly(view: View, word: str, known: Sequence[Spelling]) -> Query:
    options = [Query.const_score_query(all_of(view, "words", one.words), 4.0 * one.fit) for one in known]
    edits = _edits(word)
    for distance, score in ((1, 2.0), (2, 1.0)):
        if distance <= edits:
            near = Query.fuzzy_term_query(view.schema, "title", word, distance, True)
            options.append(Query.const_score_query(near, score))
    return Query.disjunction_max_query(options)


def _edits(word: str) -> int:
    """How many letters may be wrong; none in what is several words."""
    if len(word) < _SHORTEST_REPAIRED or word.isdigit() or " " in word:
        return 0
    return 2 if len(word) > _LONG_WORD and word.isalpha() else 1


def _meant(word: str, known: Sequence[Spelling], near: Sequence[tuple[str, ...]]) -> list[Spelling]:
    """The words of these products that this one may stand for, beside what it is known as."""
    digits = [letter for letter in word if letter.isdigit()]
    edits = _edits(word)
    found = {one.words: one.fit for one in known}
    for candidate in dict.fromkeys(candidate for title in near for candidate in title):
        distance = OSA.distance(word, candidate, score_cutoff=edits)
        if 0 < distance <= edits and digits == [letter for letter in candidate if letter.isdigit()]:
            found.setdefault((candidate,), 0.8 - 0.5 * distance / max(len(word), len(candidate)))
    best = sorted(found.items(), key=lambda one: -one[1])[:_MOST_SPELLINGS]
    # What is meant may go by another name too.
    others = [(other, fit * OTHER_NAME) for words, fit in best[:1] for other in synonyms().get(words, ())]
    return [Spelling(words, fit) for words, fit in dict([*others, *best]).items()]
