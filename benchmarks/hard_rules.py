"""Rules that make look-alikes: each takes a real product and gives it with another one, both in two wordings."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from benchmarks.hard_groups import (
    CodedPair,
    Group,
    Rule,
    checked,
    coded_pair,
    contradict,
    fields,
    text_of,
    with_gtin,
)
from benchmarks.product_families import ProductMaker
from benchmarks.title_patterns import Pattern, Token, measure_parts, squashed

_TRANSLATED = {
    "black": ("Schwarz", "Blk", "Noir"), "white": ("Weiss", "Wht", "Blanc"), "silver": ("Silber", "Slv"),
    "red": ("Rot", "Rouge"), "blue": ("Blau", "Bleu"), "green": ("Grün", "Vert"), "grey": ("Gray", "Grau"),
}  # fmt: skip
_PACKS = (
    (2, ("2-Pack", "Pack of 2", "Twin Pack", "2er Pack", "2 Pack", "Set of 2")),
    (3, ("3-Pack", "Pack of 3", "3er Pack", "3 Pack", "Triple Pack")),
    (5, ("5-Pack", "Pack of 5", "5er Pack", "5 Pack", "Set of 5")),
    (10, ("10-Pack", "Pack of 10", "10er Pack", "10 Pack")),
)
_REFURBISHED = (
    ("Refurbished", "- Refurbished"),
    ("(Renewed)", "Refurbished"),
    ("Certified Refurbished", "Renewed"),
)
_OTHER_CONDITIONS = (
    ("Open Box", "open-box item"),
    ("Used - Very Good", "used"),
    ("B-Ware", "B-Ware Gebraucht"),
)
_TV, _CAMERA, _APPLIANCE = (
    "tv|television",
    "camera|camcorder|photo",
    "fridge|freezer|dishwasher|microwave|washer|cooking",
)
_ACCESSORIES = (
    (_TV, (("Vogels", "Wall Mount Bracket"), ("OneForAll", "Replacement Remote Control"), ("Lindy", "Cable"))),
    (_CAMERA, (("Hama", "Protective Case"), ("Patona", "Battery"), ("Ansmann", "Battery Charger"))),
    (_APPLIANCE, (("Qualtex", "Door Seal"), ("Wpro", "Water Filter"), ("Xavax", "Drawer Handle"))),
    ("", (("Duragadget", "Carry Bag"), ("Kensington", "Power Adapter"), ("Hama", "Protective Case"))),
)  # fmt: skip
_BUNDLES = (
    (_TV, (("with Wall Bracket", "+ Wall Bracket"), ("Bundle with HDMI Cable", "+ HDMI Cable Bundle"))),
    (_CAMERA, (("with Carry Bag", "+ Carry Bag"), ("incl. 32GB SD Card", "+ 32 GB SD Card"))),
    (_APPLIANCE, (("with Kettle Bundle", "+ Kettle Bundle"), ("and Cleaning Kit Bundle", "+ Cleaning Kit"))),
    ("", (("with Carry Bag", "+ Carry Bag"), ("and Cleaning Kit Bundle", "+ Cleaning Kit"))),
)  # fmt: skip
_PLUGS = (
    ("UK Plug", "UK Version 3-pin", "EU Plug", "EU Version Schuko"),
    ("US Import", "US Version", "EU Version", "European Model"),
    ("German Version", "Deutsch", "French Version", "Version Francaise"),
)  # fmt: skip
_KEYBOARDS = (("QWERTZ", "German Keyboard QWERTZ", "QWERTY UK", "UK QWERTY Keyboard"),)
_OPPOSITES = dict(
    pair
    for one, other in (
        ("left", "right"), ("wired", "wireless"), ("integrated", "freestanding"), ("gas", "electric"),
        ("upgrade", "full"), ("indoor", "outdoor"), ("front", "rear"), ("corded", "cordless"),
        ("slimline", "wide"), ("standard", "professional"), ("pro", "basic"), ("home", "business"),
        ("colour", "mono"), ("lcd", "plasma"),
    )
    for pair in ((one, other), (other, one))
)  # fmt: skip
_SMALL = (
    "phone|headphone|cable|card|case|mouse|keyboard|audio|network|storage|ink|print|accessor|remote|charger"
    "|software"
)
_PLUGGED = f"{_TV}|{_APPLIANCE}|laptop|notebook|keyboard|print|audio|speaker|player|phone|network|monitor"


def _is(pattern: Pattern, words: str) -> bool:
    return bool(re.search(words, f"{pattern.category} {text_of(pattern.wordings[0])}", re.IGNORECASE))


def _is_processor(pattern: Pattern) -> bool:
    return _is(pattern, r"processor|cpu|xeon|pentium|ryzen")


def _for(
    pattern: Pattern, table: Sequence[tuple[str, Sequence[tuple[str, str]]]]
) -> Sequence[tuple[str, str]]:
    return next(choices for words, choices in table if _is(pattern, words))


def reworded(tokens: Sequence[Token], chance: random.Random, *, may_drop: bool) -> list[Token]:
    """Another shop's wording by rule: brand in front or behind, two words exchanged, at most one plain word missing."""
    made = [token for token in tokens if token.kind != "brand"]
    brand = [token for token in tokens if token.kind == "brand"][:1]
    plain = [place for place, token in enumerate(made) if token.kind == "word"]
    if may_drop and len(plain) >= 4 and chance.random() < 0.6:
        del made[chance.choice(plain[1:])]
    places = [place for place in range(len(made) - 1) if made[place].kind == made[place + 1].kind == "word"]
    if places:
        place = chance.choice(places)
        made[place], made[place + 1] = made[place + 1], made[place]
    return [*made, *brand] if chance.random() < 0.4 else [*brand, *made]


def replaced(tokens: Sequence[Token], core: str, text: str) -> list[Token]:
    """The tokens with another text wherever `core` stands."""
    return [Token(token.kind, text, text.lower()) if token.core == core else token for token in tokens]


def with_code(tokens: Sequence[Token], old: str, new: str) -> list[Token]:
    """The code exchanged wherever it stands, with the separators of the old one."""
    made = []
    for token in tokens:
        if token.kind == "code" and squashed(token.core) == old:
            signs = iter(new)
            text = "".join(next(signs, "") if sign.isalnum() else sign for sign in token.text) + "".join(
                signs
            )
            made.append(Token("code", text.upper() if token.text.isupper() else text, text.lower()))
        else:
            made.append(token)
    return made


def _sister_code(code: str, chance: random.Random) -> str:
    """The code as makers vary it for a colour or size: another last letter, or one more."""
    letters = "bcdeghkpstwxy"
    if code[-1].isalpha():
        return code[:-1] + chance.choice([letter for letter in letters if letter != code[-1]])
    return code + chance.choice(letters)


def sibling_code(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """The next model of the series: one digit of the code differs, every other word is the same."""
    found = coded_pair(pattern)
    if found is None:
        return None
    old = squashed(found.code.core)
    places = [place for place, sign in enumerate(old) if sign.isdigit()]
    tokens = (*found.first, *found.second)
    # "LG 52LG70 Series ... 52LG" would state the old model beside the new one.
    if not places or any(
        token.kind == "code"
        and squashed(token.core) != old
        and (squashed(token.core) in old or old in squashed(token.core))
        for token in tokens
    ):
        return None
    place = chance.choice(places[-3:])
    new = (
        old[:place]
        + chance.choice([digit for digit in "0123456789" if digit != old[place]])
        + old[place + 1 :]
    )
    other = [text_of(with_code(tokens, old, new)) for tokens in (found.first, found.second)]
    return fields("generation", pattern, chance, found.texts, other, codes=(found.code.text, new.upper()))


def _varied(
    kind: str, values: Callable[[Token], Sequence[str]], write: Callable[[str, str, random.Random], str]
) -> Rule:
    """A rule that changes one stated value; a model code, where there is one, changes its end with it."""

    def rule(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
        if _is_processor(pattern):
            return None
        found = coded_pair(pattern)
        base = found or _named(pattern, chance)
        if base is None:
            return None
        for token in base.first:
            others = [value for value in values(token) if value != token.core]
            if not others or sum(one.core == token.core for one in base.first) > 1:
                continue
            new = chance.choice(others)
            old_code = squashed(base.code.core)
            new_code = _sister_code(old_code, chance) if found else ""
            titles: list[list[str]] = []
            for value, code in ((token.core, old_code), (new, new_code)):
                titles.append([])
                for wording in (base.first, base.second):
                    made = replaced(wording, token.core, write(value, token.core, chance))
                    titles[-1].append(text_of(with_code(made, old_code, code) if found else made))
            codes = (base.code.text, new_code.upper()) if found else ("", "")
            return fields(kind, pattern, chance, titles[0], titles[1], codes=codes, ratio=1.15)
        return None

    return rule


def _named(pattern: Pattern, chance: random.Random) -> CodedPair | None:
    """A product known by its name: no code, a brand, six words or more; the second wording is made by rule."""
    first = pattern.wordings[0]
    if any(token.kind == "code" for token in first) or len(first) < 6 or first[0].kind != "brand":
        return None
    return CodedPair(first, reworded(first, chance, may_drop=False), Token("code", "", ""))


def _storages(token: Token) -> Sequence[str]:
    if token.kind != "measure":
        return ()
    number, unit = measure_parts(token.core)
    amount = float(number.replace(",", "."))
    if unit == "gb" and amount in {1, 2, 4, 8, 16, 30, 32, 60, 64, 80, 120, 128, 160, 250, 256, 320, 500}:
        return (f"{amount * 2:g}gb", f"{amount / 2:g}gb") if amount > 1 else ("2gb", "4gb")
    return ("1tb", "2tb", "3tb") if unit == "tb" else ()


def _sizes(token: Token) -> Sequence[str]:
    if token.kind != "measure":
        return ()
    number, unit = measure_parts(token.core)
    amount = float(number.replace(",", "."))
    steps = {'"': (3, 5, 6, -3), "inch": (3, 5, 6, -3), "cm": (5, 10, -5), "l": (5, 10, -4)}.get(unit, ())
    return [f"{amount + step:g}{unit}" for step in steps if amount + step > 4]


def _write_measure(value: str, _: str, chance: random.Random) -> str:
    number, unit = measure_parts(value)
    if unit in {'"', "inch"}:
        return chance.choice((f'{number}"', f"{number} inch", f"{number}-inch"))
    unit = unit.upper() if unit in {"gb", "tb", "l"} else unit
    return chance.choice((f"{number}{unit}", f"{number} {unit}"))


def _colours(token: Token) -> Sequence[str]:
    return tuple(_TRANSLATED) if token.kind == "colour" and token.core in _TRANSLATED else ()


def _write_colour(value: str, _: str, chance: random.Random) -> str:
    return chance.choice((value.capitalize(), value, *_TRANSLATED[value]))


def _opposite(token: Token) -> Sequence[str]:
    return (_OPPOSITES[token.core],) if token.core in _OPPOSITES else ()


def version(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """Software of another version or year."""
    if not _is(pattern, "software|office|design|music|language|learn|security|system|tax|business|game"):
        return None
    for wording in pattern.wordings:
        held = [token for token in wording if token.kind == "number"]
        tokens = [token for token in wording if token.kind != "code"]
        if (
            len(held) != 1
            or len(tokens) < 4
            or float(held[0].core) < 2
            or re.search("user|pack|age", text_of(tokens), re.I)
        ):
            continue
        old = held[0].core
        new = str(int(float(old)) + chance.choice((-1, 1))) + (".0" if "." in old else "")
        titles = [
            (
                text_of(replaced(tokens, old, value)),
                text_of(replaced(reworded(tokens, chance, may_drop=False), old, value)),
            )
            for value in (old, new)
        ]
        return fields("version", pattern, chance, titles[0], titles[1])
    return None


def _suffixed(kind: str, choices: Callable[[Pattern], Sequence[tuple[str, str]]], ratio: float) -> Rule:
    """A rule that adds words: the plain product in two wordings, the added-to one in two wordings."""

    def rule(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
        found = coded_pair(pattern)
        if found is None or _is_processor(pattern):
            return None
        first, second = found.texts
        one, two = chance.choice(choices(pattern))
        in_front = chance.random() < 0.3 and two[0] not in "+-"
        other = (f"{first} {one}", f"{two} {second}" if in_front else f"{second} {two}")
        return fields(
            kind,
            pattern,
            chance,
            (first, second),
            other,
            codes=(found.code.text, found.code.text),
            ratio=ratio,
        )

    return rule


def multipack(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """Several of the same in one offer."""
    found = coded_pair(pattern)
    if found is None or not _is(pattern, _SMALL):
        return None
    first, second = found.texts
    count, words = chance.choice(_PACKS)
    one, two = chance.sample(words, 2)
    other = (f"{first} {one}", f"{second} ({two})" if chance.random() < 0.5 else f"{two} {second}")
    return fields(
        "multipack",
        pattern,
        chance,
        (first, second),
        other,
        codes=(found.code.text, found.code.text),
        ratio=count * 0.9,
    )


def accessory(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """A part made for the product, which names it in full."""
    found = coded_pair(pattern)
    if found is None or not _is(pattern, f"{_PLUGGED}|{_CAMERA}") or _is_processor(pattern):
        return None
    maker, noun = chance.choice(_for(pattern, _ACCESSORIES))
    number = f"{maker[:2].upper()}{chance.randrange(10_000, 99_999)}"
    target = f"{pattern.brand} {found.code.text}".strip()
    long = chance.random() < 0.5
    other = (
        f"{maker} {noun} for {found.texts[0]} - {number}"
        if long
        else f"{maker} {noun} for {target} {number}",
        f"{number} {maker} {noun} compatible with {target}",
    )
    return fields("accessory", pattern, chance, found.texts, other, ratio=0.12, is_foreign=True)


def region(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """Another plug, keyboard layout or language; both sides state theirs."""
    found = coded_pair(pattern)
    if found is None or not _is(pattern, _PLUGGED) or _is_processor(pattern):
        return None
    first, second = found.texts
    one, one_again, two, two_again = chance.choice(
        _KEYBOARDS if _is(pattern, "laptop|notebook|keyboard") else _PLUGS
    )
    return fields(
        "region", pattern, chance, (f"{first} {one}", f"{second} ({one_again})"),
        (f"{first} {two}", f"{second} ({two_again})"),
        codes=(found.code.text, found.code.text),
    )  # fmt: skip


def case_or_unit(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """A carton under its own GTIN-14 (indicator 1 to 8) and the unit under the GTIN inside it."""
    found = coded_pair(pattern)
    if found is None or not _is(pattern, _SMALL):
        return None
    first, second = found.texts
    body = f"4006381{chance.randrange(10_000, 99_999)}"
    unit, carton = checked(body), checked(f"{chance.randrange(1, 9)}{body}")
    said = chance.choice(("", " Case of 12", " (Carton 10 pcs)", " - Box of 24"))
    return fields(
        "case_or_unit", pattern, chance, (first, second), (f"{first}{said}", f"{second}{said}"),
        codes=(found.code.text, found.code.text), ratio=10, gtins=((unit, f"0{unit}"), (carton, carton)),
    )  # fmt: skip


def _foreign(pattern: Pattern, maker: ProductMaker) -> tuple[str, str] | None:
    """Two wordings of some other product of this world."""
    for _ in range(40):
        for product in maker.family():
            usable = product.wordings[:2] if product.category != pattern.category else ()
            if len(usable) == 2 and not contradict(*usable) and product.model:
                return text_of(usable[0]), text_of(usable[1])
    return None


def _misused(kind: str, prefix: Callable[[random.Random], str]) -> Rule:
    """A rule that puts one number on unrelated goods."""

    def rule(pattern: Pattern, chance: random.Random, maker: ProductMaker) -> Group | None:
        found = coded_pair(pattern)
        other = _foreign(pattern, maker) if found else None
        if found is None or other is None:
            return None
        group = fields(kind, pattern, chance, found.texts, other, ratio=0.6, is_foreign=True)
        return with_gtin(group, checked(f"{prefix(chance)}{chance.randrange(10_000, 99_999)}"), kind)

    return rule


def copied_gtin(pattern: Pattern, chance: random.Random, maker: ProductMaker) -> Group | None:
    """The bar code of the sister model left in the form: the model codes tell them apart."""
    group = sibling_code(pattern, chance, maker)
    return group and with_gtin(group, checked(f"4006381{chance.randrange(10_000, 99_999)}"), "wrong_gtin")


# Rules that put bar codes of our making on a product.
NUMBERED_RULES: tuple[tuple[Rule, int], ...] = (
    (case_or_unit, 20),
    (copied_gtin, 25),
    (_misused("shared_gtin", lambda chance: "4006381"), 25),
    (_misused("restricted_gtin", lambda chance: f"2{chance.randrange(10, 99)}0000"), 25),
)
RULES: tuple[tuple[Rule, int], ...] = (
    (_varied("capacity", _storages, _write_measure), 30),
    (_varied("variant", _opposite, lambda value, core, chance: value.capitalize()), 30),
    (multipack, 30),
    (version, 30),
    (region, 25),
    (accessory, 45),
    (_varied("size", _sizes, _write_measure), 40),
    (_varied("colour", _colours, _write_colour), 40),
    (_suffixed("bundle", lambda pattern: _for(pattern, _BUNDLES), 1.2), 30),
    (_suffixed("refurbished", lambda pattern: _REFURBISHED, 0.7), 25),
    (_suffixed("used_or_open_box", lambda pattern: _OTHER_CONDITIONS, 0.7), 15),
    (sibling_code, 60),
)
