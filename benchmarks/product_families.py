"""New products made from real ones: codes, series, sizes and colours changed in all wordings alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.title_patterns import (
    COLOURS,
    EDITIONS,
    Pattern,
    Token,
    measure_parts,
    rare_words,
    squashed,
    word_counts,
)

_DIGITS = "0123456789"
_LETTERS = "abcdefghkmnprstvwx"
_SYLLABLES = (
    "al ar bel bo ca cor da del di do el en fa fi ga gen ha in ka kor la len li lo lu ma mar mi mo na nel ni no or pa "
    "pen qua ra rel ri ro sa sen si so ta tel ti to tu va vel vi vo xa yor za zen zo"
).split()
_FAMILY_SIZES = (1, 2, 3, 4, 5, 6, 8)
_FAMILY_SHARES = (45, 22, 13, 9, 5, 4, 2)
_STORAGE = ("8", "16", "32", "64", "128", "256", "512")
_MOST = 100_000  # a measure in a title has five digits at most


@dataclass(frozen=True, slots=True)
class GeneratedProduct:
    """One product: how it may be worded, and what tells it from its look-alikes (`kept`, cores)."""

    wordings: tuple[tuple[Token, ...], ...]
    kept: frozenset[str]
    brand: str
    category: str
    model: str
    may_lose_code: bool


class ProductMaker:
    """Makes families of products that differ from each other in what their titles say."""

    def __init__(self, patterns: Sequence[Pattern], chance: random.Random, *, named_share: float) -> None:
        self._patterns = patterns
        self._chance = chance
        self._named_share = named_share
        self._counts: Counter[str] = word_counts(patterns)
        self._rare = rare_words(patterns)
        self._coded = [pattern for pattern in patterns if _has_code(pattern)]
        self._brands = sorted({pattern.brand for pattern in patterns if pattern.brand})
        self._taken: set[str] = set()

    def family(self) -> list[GeneratedProduct]:
        """One to eight products that are variants of each other; now and then none, where nothing tells them apart."""
        chance = self._chance
        is_named = chance.random() < self._named_share
        pattern = chance.choice(self._patterns if is_named else self._coded)
        wordings, series = self._renamed(pattern, without_codes=is_named)
        if not is_named:
            wordings = self._recoded(wordings)
        if not wordings:
            return []
        size = chance.choices(_FAMILY_SIZES, _FAMILY_SHARES)[0]
        return list(self._products(pattern, wordings, series, size, is_named=is_named))

    def _renamed(self, pattern: Pattern, *, without_codes: bool) -> tuple[list[list[Token]], frozenset[str]]:
        """The wordings under another brand now and then and with new words for the rarest; those new words."""
        chance = self._chance
        wordings = [
            [token for token in wording if not (without_codes and token.kind == "code")]
            for wording in pattern.wordings
        ]
        held = Counter(
            core
            for wording in wordings
            for core in {
                token.core
                for token in wording
                if token.kind == "word" and len(token.core) >= 4 and token.core.isalpha()
            }
        )
        shared = sorted(
            (core for core, times in held.items() if times * 2 >= len(wordings)),
            key=lambda core: (self._counts[core], core),
        )
        wanted = 2 if without_codes else (1 if chance.random() < 0.4 else 0)
        replaced = {core: self._new_word() for core in shared[:wanted]}
        if without_codes and len(replaced) < 2:
            return [], frozenset()
        brand = chance.choice(self._brands) if pattern.brand and chance.random() < 0.25 else ""
        made = []
        for wording in wordings:
            cores = {token.core for token in wording}
            if not set(replaced) <= cores or len(wording) < 3:
                continue
            made.append(
                [
                    _like(token, replaced[token.core]) if token.core in replaced
                    else Token("brand", brand, brand.lower()) if brand and token.kind == "brand"
                    else token
                    for token in wording
                ]
            )  # fmt: skip
        return made, frozenset(replaced.values())

    def _new_word(self) -> str:
        chance = self._chance
        if self._rare and chance.random() < 0.35:
            return chance.choice(self._rare)
        return "".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3))))

    def _recoded(self, wordings: list[list[Token]]) -> list[list[Token]]:
        """All codes under one exchange of digits and letters, so that a code within a code stays one."""
        coded = [wording for wording in wordings if any(token.kind == "code" for token in wording)]
        if not coded:
            return []
        longest = _longest_code(coded)
        extra = "".join(self._chance.choices(_DIGITS, k=max(0, 6 - len(longest))))
        for _ in range(20):
            exchange = self._exchange()
            new = longest.translate(exchange) + extra
            if new not in self._taken:
                self._taken.add(new)
                break
        else:
            return []
        return [
            [
                _coded(token, token.core.translate(exchange) + extra, token.text)
                if token.kind == "code"
                else token
                for token in wording
            ]
            for wording in coded
        ]

    def _exchange(self) -> dict[int, int]:
        digits = "".join(self._chance.sample(_DIGITS, 10))
        letters = "".join(self._chance.sample(_LETTERS, len(_LETTERS)))
        return str.maketrans(_DIGITS + _LETTERS, digits + letters)

    def _products(
        self,
        pattern: Pattern,
        wordings: list[list[Token]],
        series: frozenset[str],
        size: int,
        *,
        is_named: bool,
    ) -> list[GeneratedProduct]:
        chance = self._chance
        axis = self._axis(wordings) if size > 1 else ""
        code_axis = ""
        if size > 1 and not is_named and (not axis or chance.random() < 0.75):
            code_axis = chance.choice(_longest_code(wordings)[-4:])
        if size > 1 and not axis and not code_axis:
            size = 1
        named = [
            wording
            for wording in wordings
            if (not axis or any(token.core == axis for token in wording))
            and (not code_axis or any(token.kind == "code" and code_axis in token.core for token in wording))
        ]
        if not named:
            return []
        values = self._axis_values(axis, size) if axis else []
        signs = self._signs(code_axis, size) if code_axis else []
        size = min(
            [size, *([len(values)] if axis and not code_axis else []), *([len(signs)] if code_axis else [])]
        )
        products = []
        for number in range(size):
            value = values[number % len(values)] if values else ""
            made = tuple(
                tuple(
                    self._varied(token, axis, value, code_axis, signs[number] if signs else "")
                    for token in wording
                )
                for wording in named
            )
            codes = [token for wording in made for token in wording if token.kind == "code"]
            model = max(
                (token.text for token in codes), key=lambda text: (len(squashed(text)), text), default=""
            )
            if number and model:
                if squashed(model) in self._taken and code_axis:
                    continue
                self._taken.add(squashed(model))
            products.append(
                GeneratedProduct(
                    wordings=made,
                    kept=series | ({value} if value else frozenset()),
                    brand=next(
                        (token.text for wording in made for token in wording if token.kind == "brand"), ""
                    ),
                    category=pattern.category,
                    model=model,
                    may_lose_code=bool(series) and not code_axis,
                )
            )
        return products

    def _axis(self, wordings: list[list[Token]]) -> str:
        """A core in which the family's products may differ: a measure, number, colour or edition most wordings name."""
        held = Counter(
            core
            for wording in wordings
            for core in {
                token.core for token in wording if token.kind in {"measure", "number", "colour", "edition"}
            }
        )
        fit = sorted(core for core, times in held.items() if times * 2 >= len(wordings))
        return self._chance.choice(fit) if fit else ""

    def _axis_values(self, axis: str, size: int) -> list[str]:
        chance = self._chance
        if axis in COLOURS:
            others = [
                colour for colour in COLOURS if colour != axis and {axis, colour} != {"grey", "graphite"}
            ]
        elif axis in EDITIONS:
            others = [edition for edition in EDITIONS if edition != axis]
        else:
            try:
                number, unit = measure_parts(axis)
            except ValueError:
                number, unit = axis, ""
            others = [f"{other}{unit}" for other in _other_numbers(number, unit) if other != number]
        chance.shuffle(others)
        return [axis, *others[: size - 1]]

    def _signs(self, sign: str, size: int) -> list[str]:
        others = [other for other in (_DIGITS if sign.isdigit() else _LETTERS) if other != sign]
        self._chance.shuffle(others)
        return [sign, *others[: size - 1]]

    @staticmethod
    def _varied(token: Token, axis: str, value: str, code_axis: str, sign: str) -> Token:
        if axis and token.core == axis and value != axis:
            return Token(
                token.kind, value if token.kind in {"measure", "number"} else _like(token, value).text, value
            )
        if code_axis and token.kind == "code" and sign != code_axis:
            return _coded(token, token.core.replace(code_axis, sign), token.text)
        return token


def _other_numbers(number: str, unit: str) -> list[str]:
    if unit in {"gb", "mb"} and number in _STORAGE:
        return list(_STORAGE)
    amount = float(number.replace(",", "."))
    if "." in number or "," in number:
        amounts = (amount * factor for factor in (0.5, 0.8, 1.25, 1.5, 2, 2.5, 3))
        return [f"{other:.1f}" for other in amounts if other < _MOST]
    if len(number) == 4 and not unit:
        return [str(int(amount) + step) for step in (-4, -3, -2, -1, 1, 2, 3, 4)]
    step = 1 if amount < 12 else 5 if amount < 100 else 50
    return [
        str(int(amount) + step * times)
        for times in (-2, -1, 1, 2, 3, 4, 5, 6)
        if 0 < amount + step * times < _MOST
    ]


def _has_code(pattern: Pattern) -> bool:
    return any(token.kind == "code" for wording in pattern.wordings for token in wording)


def _longest_code(wordings: Sequence[Sequence[Token]]) -> str:
    return max(
        (squashed(token.core) for wording in wordings for token in wording if token.kind == "code"), key=len
    )


def _like(token: Token, word: str) -> Token:
    """`word` in the letters of the token that it takes the place of."""
    text = word.upper() if token.text.isupper() and len(token.text) > 1 else word
    text = word.capitalize() if token.text[:1].isupper() and not token.text.isupper() else text
    return Token(token.kind, text, word)


def _coded(token: Token, core: str, text: str) -> Token:
    return Token(token.kind, core.upper() if text.upper() == text else core, core)
