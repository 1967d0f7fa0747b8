"""What a shopper types, as a query of the index: every word must be found, in some spelling or under another name.

A product is found by the words of all its stores' wordings (`words`) and ranked by those of its title: BM25, times a
little for several stores. An equal wording or code comes before all that only shares words with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tantivy import Occur, Query

from aggregator.catalog.search_index import View
from aggregator.domain.identifiers import read_gtin
from aggregator.domain.search_words import code_of, named_things, query_words, whole_wording

# Words that begin as a word does, where it is no whole word of anything.
_MOST_BEGINNINGS = 20
_SHORTEST_BEGINNING = 2
_FOUND = 0.1
_EQUAL = 40.0
_EQUAL_CODE = 12.0
OTHER_NAME = 0.6
_NEAR = 10.0


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way in which a word may stand in a product; `fit` is 1 for the word itself, less for what is only like it."""

    words: tuple[str, ...]
    fit: float = 1.0


def term(view: View, field: str, value: object) -> Query:
    """Products with exactly this in a field, for as little work as there is."""
    return Query.term_query(view.schema, field, value, "freq" if field == "title" else "basic")


def things_of(text: str) -> list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """What the text names, each with its other names; a GTIN in any form is one thing."""
    gtin = read_gtin(text)
    return [((gtin,), ())] if gtin else named_things(query_words(text))


def spellings_of(view: View, text: str) -> list[list[Spelling]]:
    """For each thing that the text names, the spellings that the index knows; an empty list where it knows none."""
    things = things_of(text)
    words = [word for name, _ in things for word in name]
    found = []
    start = 0
    for name, others in things:
        candidates = [Spelling(name), *(Spelling(other, OTHER_NAME) for other in others)]
        end = start + len(name)
        # "wh 1000 xm4" is written "wh1000xm4" elsewhere, and "dish washer" "dishwasher".
        for first, last in (
            (start - 2, end),
            (start - 1, end),
            (start - 1, end + 1),
            (start, end),
            (start, end + 1),
            (start, end + 2),
        ):
            if 0 <= first < last <= len(words) and last - first > 1:
                candidates.append(Spelling(("".join(words[first:last]),), 0.9))
        if len(name) == 1:
            candidates.extend(Spelling((form,), 0.9) for form in _numbers_of(name[0]))
        found.append([one for one in candidates if _is_known(view, one.words)])
        start = end
    return found


def with_beginnings(view: View, text: str, found: Sequence[Sequence[Spelling]]) -> list[list[Spelling]]:
    """The same, and where a thing is not known, or all were and nothing has them together, words that begin so."""
    all_known = all(found)
    completed = []
    for (name, _), spellings in zip(things_of(text), found, strict=True):
        longer = [] if spellings and not all_known else beginnings(view, name[-1])
        completed.append([*spellings, *(Spelling((*name[:-1], word), 0.5) for word in longer)])
    return completed


def beginnings(view: View, word: str) -> list[str]:
    """Words of products that begin like this one, the most frequent first."""
    if len(word) < _SHORTEST_BEGINNING:
        return []
    terms = view.searcher.terms_with_prefix("words", word, limit=_MOST_BEGINNINGS)
    return [term for term, _ in terms if term != word]


def matching_query(view: View, found: Sequence[Sequence[Spelling]]) -> Query:
    """Products that have each thing in one of its spellings; for counting, and for orders that need no score."""
    clauses = [
        (Occur.Must, Query.const_score_query(_any(view, "words", spellings), _FOUND)) for spellings in found
    ]
    return Query.boolean_query(clauses)


def ranking_query(
    view: View, text: str, found: Sequence[Sequence[Spelling]], *, is_repaired: bool = False
) -> Query:
    """The same products, scored by their titles.

    Where the words were repaired, how near each comes to what was typed counts before how rare it is.
    """
    clauses = [(Occur.Must, matching_query(view, found))]
    for spellings in found:
        if not is_repaired:
            clauses.append((Occur.Should, _in_title(view, spellings)))
        else:
            near = [
                Query.const_score_query(all_of(view, "title", one.words), _NEAR * one.fit)
                for one in spellings
            ]
            clauses.append((Occur.Should, Query.disjunction_max_query(near)))
    wording = whole_wording(text)
    clauses.append((Occur.Should, Query.const_score_query(term(view, "wording", wording), _EQUAL)))
    clauses.extend(
        (Occur.Should, Query.const_score_query(term(view, "code", code), _EQUAL_CODE))
        for code in {code_of(text), *map(code_of, text.split())} - {None}
    )
    return Query.boolean_query(clauses)


def _any(view: View, field: str, spellings: Iterable[Spelling]) -> Query:
    options = [all_of(view, field, one.words) for one in spellings]
    return options[0] if len(options) == 1 else Query.boolean_query([(Occur.Should, one) for one in options])


def all_of(view: View, field: str, words: Sequence[str]) -> Query:
    """Products with all of these words in a field."""
    if len(words) == 1:
        return term(view, field, words[0])
    return Query.boolean_query([(Occur.Must, term(view, field, word)) for word in words])


def _in_title(view: View, spellings: Sequence[Spelling]) -> Query:
    options = [
        all_of(view, "title", one.words)
        if one.fit == 1
        else Query.boost_query(all_of(view, "title", one.words), one.fit)
        for one in spellings
    ]
    return options[0] if len(options) == 1 else Query.disjunction_max_query(options)


def _numbers_of(word: str) -> list[str]:
    """The plural of a word, or the singular of one that looks like a plural."""
    if len(word) < 3 or not word.isalpha():
        return []
    if word.endswith("s"):
        return [] if word.endswith("ss") else [word[:-1], *([word[:-2]] if word.endswith("es") else [])]
    return [f"{word}s", *([f"{word}es"] if word.endswith(("h", "x")) else [])]


def _is_known(view: View, words: Sequence[str]) -> bool:
    return all(view.searcher.doc_freq("words", word) > 0 for word in words)
