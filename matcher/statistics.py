"""What a whole catalogue says about its words: how often each occurs, which are brands, whether stores list twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.columns import Integers, ValueLists
from matcher.reading import ReadTitles, read_titles
from matcher.records import OfferRecord, in_stable_order
from matcher.titles import looks_like_code, plain, squashed

# Above this share of offers with a same-store partner of equal code, a catalogue lists products twice
# (.475 was seen where stores do, at most .065 where they do not).
_LISTS_TWICE_SHARE = 0.2
_ALPHABET_SIZE = 37  # space, ten digits, 26 letters
GRAMS = _ALPHABET_SIZE**3
COMPANY_WORDS = frozenset(
    "inc corp corporation co ltd limited llc gmbh ag sa company the intl international".split()
)
_TRADE = "audio"
_LEAST_BESIDE_TRADE = 4


@dataclass(frozen=True, slots=True)
class CatalogueStatistics:
    """How often words, codes and letter triples occur in a catalogue, which words are brands, and how many
    `stores` there are (0 where the store of any offer is unknown).

    Taken from a whole catalogue and kept, they make an incremental run weigh words as the full run did.
    """

    offers: int
    word_counts: Mapping[str, int]
    code_counts: Mapping[str, int]
    gram_counts: Integers
    brands: frozenset[str]
    stores_list_twice: bool
    stores: int

    @classmethod
    def of(cls, records: Iterable[OfferRecord], processes: int = 1) -> Self:
        """The statistics of a whole catalogue; stores of unknown name count as none."""
        ordered = in_stable_order(records)
        return cls.of_titles(ordered, read_titles([record.title for record in ordered], processes))

    @classmethod
    def of_titles(cls, ordered: Sequence[OfferRecord], titles: ReadTitles) -> Self:
        """The same from records in stable order and their titles, read before."""
        words = titles.words.membership()
        word_counts = np.bincount(words.indices, minlength=len(titles.words.names))
        code_counts = Counter(_counted(titles.codes))
        code_counts.update(code for record in ordered if (code := code_of_part_number(record.mpn)))
        return cls(
            offers=max(len(ordered), 1),
            word_counts=_counted(titles.words, word_counts),
            code_counts=code_counts,
            gram_counts=np.bincount(
                gram_membership(words, titles.words.names).indices, minlength=GRAMS
            ).astype(np.int64),
            brands=_brand_vocabulary(ordered, titles.words, word_counts),
            stores_list_twice=_share_listed_twice(ordered, titles.codes) > _LISTS_TWICE_SHARE,
            stores=0 if "" in (stores := {record.store for record in ordered}) else len(stores),
        )

    def to_json(self) -> dict[str, Any]:
        """A value that json.dumps takes; only letter triples that occur are written."""
        present = np.flatnonzero(self.gram_counts)
        return {
            "offers": self.offers,
            "word_counts": dict(self.word_counts),
            "code_counts": dict(self.code_counts),
            "gram_counts": {str(gram): int(self.gram_counts[gram]) for gram in present},
            "brands": sorted(self.brands),
            "stores_list_twice": self.stores_list_twice,
            "stores": self.stores,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        gram_counts = np.zeros(GRAMS, dtype=np.int64)
        for gram, count in value["gram_counts"].items():
            gram_counts[int(gram)] = count
        return cls(
            offers=value["offers"],
            word_counts=value["word_counts"],
            code_counts=value["code_counts"],
            gram_counts=gram_counts,
            brands=frozenset(value["brands"]),
            stores_list_twice=value["stores_list_twice"],
            stores=value["stores"],
        )


def brand_key(brand: str) -> str:
    """A stated brand as brands are compared: plain letters, words of companies left out."""
    words = "".join(sign if sign.isalnum() else " " for sign in plain(brand)).split()
    return " ".join([word for word in words if word not in COMPANY_WORDS] or words)


def words_of_brand(brand: str) -> frozenset[str]:
    """The words of a brand key by which brands are the same: "polkaudio" and "polk audio" are one."""
    words = (
        word.removesuffix(_TRADE) if len(word) >= _LEAST_BESIDE_TRADE + len(_TRADE) else word
        for word in brand.split()
    )
    return frozenset(words) - COMPANY_WORDS


def code_of_part_number(mpn: str) -> str:
    """The part number as a code, empty where it does not look like one."""
    code = squashed(mpn) if mpn else ""
    return code if looks_like_code(code) else ""


def gram_membership(words: sparse.csr_matrix, names: Sequence[str]) -> sparse.csr_matrix:
    """Rows x letter triples (0/1) of the rows' words (rows x names), each word with a space on both sides."""
    texts = [f" {name} " for name in names]
    signs = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    if len(signs) < 3:
        return sparse.csr_matrix((words.shape[0], GRAMS), dtype=np.float32)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    # Other scripts share the places of the Latin letters: enough to tell which titles are alike.
    place = np.arange(128, dtype=np.int64) % 26 + 11
    place[ord(" ")] = 0
    place[ord("0") : ord("9") + 1] = np.arange(1, 11)
    place[ord("a") : ord("z") + 1] = np.arange(11, 37)
    codes = np.where(signs < 128, place[np.minimum(signs, 127)], signs % 26 + 11).astype(np.int64)
    grams = (codes[:-2] * _ALPHABET_SIZE + codes[1:-1]) * _ALPHABET_SIZE + codes[2:]
    inside = owner[:-2] == owner[2:]
    of_word = sparse.csr_matrix(
        (np.ones(int(inside.sum()), dtype=np.float32), (owner[:-2][inside], grams[inside])),
        shape=(len(texts), GRAMS),
    )
    matrix = sparse.csr_matrix(words @ of_word)
    matrix.sort_indices()
    matrix.data = np.ones(len(matrix.data), dtype=np.float32)
    return matrix


def _counted(lists: ValueLists, counts: npt.NDArray[Any] | None = None) -> dict[str, int]:
    if counts is None:
        counts = np.bincount(lists.numbers, minlength=len(lists.names))
    return dict(zip(lists.names, counts.tolist(), strict=True))


def _brand_vocabulary(
    records: Sequence[OfferRecord], words: ValueLists, counts: npt.NDArray[Any]
) -> frozenset[str]:
    """Brands that offers state, and words that several titles open with and seldom hold elsewhere."""
    stated = {brand_key(brand) for brand in {record.brand for record in records}}
    first = words.starts[:-1][np.diff(words.starts) > 0]
    opening = np.bincount(words.numbers[first], minlength=len(words.names))
    opens_titles = {
        word
        for number in np.flatnonzero((opening >= 4) & (opening >= 0.4 * counts)).tolist()
        if (word := words.names[number]).isalpha() and len(word) >= 2
    }
    return frozenset({brand for brand in stated if len(brand) >= 2} | opens_titles)


def _share_listed_twice(records: Sequence[OfferRecord], codes: ValueLists) -> float:
    """Share of offers whose store has another offer with exactly the same codes."""
    if len(records) < 50:
        return 0.0
    store = ValueLists.one_each(record.store for record in records).known()
    rows = [
        (shop, codes.numbers[start:end].tobytes())
        for shop, start, end in zip(store.tolist(), codes.starts[:-1], codes.starts[1:], strict=True)
        if shop >= 0 and end > start
    ]
    return sum(count for count in Counter(rows).values() if count > 1) / len(records)
