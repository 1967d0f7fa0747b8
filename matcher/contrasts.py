"""What one product cannot be at once: words of titles that part look-alikes though all the rest agrees.

Sides, ways of building in, kinds of screens, with and without a cord, sizes of clothes, capacities, generations. They
weigh nothing in a probability: offers that they part are two products.
"""

from __future__ import annotations

import re

# Attribute -> value -> how titles say it, in plain lower case letters.
_SAID: dict[str, dict[str, str]] = {
    "side": {
        "left": r"left[ -]?(?:hand(?:ed)?|hinged?|opening|sided?)",
        "right": r"right[ -]?(?:hand(?:ed)?|hinged?|opening|sided?)",
    },
    "projection": {"front": r"front[ -]projection", "rear": r"rear[ -]projection"},
    "installation": {
        "built in": r"integrated|built[ -]?in|integrierbar|einbau[a-z]*|teilintegriert|vollintegriert",
        "free standing": r"free[ -]?standing|freistehend|stand(?:gerat|kuhl[a-z]*)",
    },
    "width": {"slim": r"slim ?line", "wide": r"full[ -]?size|wide dishwasher"},
    "screen": {"plasma": r"plasma", "lcd": r"lcd|led|oled|qled"},
    "cord": {"with": r"wired|corded", "without": r"wireless|cordless"},
    "system": {"mac": r"mac|macintosh|mac os x?|os x", "windows": r"windows|win"},
    "for": {"men": r"men'?s?|herren|homme", "women": r"women'?s?|damen|femme|ladies|lady"},
    "medium": {"disc": r"disc edition|disc drive", "digital": r"digital edition"},
    "line": {"classic": r"classic", "junior": r"junior"},
    "where": {"indoor": r"indoor", "outdoor": r"outdoor"},
    "form": {
        "shampoo": r"shampoo",
        "conditioner": r"conditioner|spulung",
        "gel": r"(?:shaving|shower|rasier|dusch)[ -]?gel",
        "foam": r"(?:shaving|rasier)[ -]?(?:foam|schaum)",
        "balm": r"after ?shave(?: balm)?",
        "toilette": r"eau de toilette|edt",
        "parfum": r"eau de parfum|edp",
    },
    "colours": {
        "black": r"(?:black|schwarz|noir) (?:ink|toner)|(?:ink|toner)[a-z, ]* (?:black|schwarz|noir)",
        "several": r"tri-?colou?r|colou?r ink|(?:ink|cartridge|toner),? colou?r",
    },
}
# Attributes whose values are what the pattern catches.
_CAUGHT: dict[str, str] = {
    "waist": r"w ?(\d\d)(?= ?[/x]? ?l ?\d\d)|(\d\d) ?w(?= \d\d ?l)",
    "length": r"(?:w ?\d\d|\d\d ?w) ?[/x]? ?(?:l ?(\d\d)|(\d\d) ?l)",
    "size": r"(?:size|eu|grosse|gr\.) ?(\d{1,2}(?:\.5)?)(?! ?(?:gb|mm|cm|inch))"
    r"|(3\d|4\d) eu",
    "generation": r"(\d{1,2})(?:st|nd|rd|th)[ -]+gen(?:eration)?|gen(?:eration)? ?(\d{1,2})",
    "edition": r"(\d{1,2})(?:st|nd|rd|th)[ -]+ed(?:ition)?",
    "spf": r"(?:spf|lsf) ?(\d{1,2})",
    "devices": r"(\d{1,2})[ -]?devices?",
    "gigabytes": r"(\d{1,4}) ?gb",
    "terabytes": r"(\d{1,2}(?:[.,]\d)?) ?tb",
    "aperture": r"f/ ?(\d(?:\.\d)?)l?(?:-\d(?:\.\d)?g?)?",
}


# An attribute is looked for only where its title has one of these words: most titles have none.
_TOLD_BY: dict[str, str] = {
    "side": "left right lefthand righthand lefthanded righthanded",
    "projection": "front rear",
    "installation": "integrated built builtin integrierbar teilintegriert vollintegriert free freestanding freistehend"
    " standgerat einbau einbaugerat einbaumikrowelle einbaugeschirrspuler einbaukuhlschrank einbaubackofen",
    "width": "slim slimline full fullsize wide",
    "screen": "plasma lcd led oled qled",
    "cord": "wired corded wireless cordless",
    "system": "mac macintosh os osx windows win",
    "for": "men mens women womens man woman herren damen homme femme ladies lady",
    "medium": "disc digital",
    "line": "classic junior",
    "where": "indoor outdoor",
    "colours": "black schwarz noir colour color tri tricolour tricolor",
    "form": "shampoo conditioner spulung shaving shower gel foam rasiergel duschgel rasierschaum aftershave after"
    " toilette parfum edt edp",
    "size": "size eu grosse gr",
    "generation": "gen generation",
    "edition": "ed edition",
    "spf": "spf lsf",
    "devices": "device devices",
    "aperture": "f",
}
_WORN = re.compile(r"(?<![a-z0-9])(?:w ?\d\d|\d\d ?w)(?![a-z0-9])")


def _compiled() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Attribute -> (value, pattern); an empty value stands for what the pattern catches."""
    patterns = {
        name: [
            (value, re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])")) for value, words in values.items()
        ]
        for name, values in _SAID.items()
    }
    for name, pattern in _CAUGHT.items():
        patterns[name] = [("", re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])"))]
    return patterns


_PATTERNS = _compiled()
_ATTRIBUTES_OF: dict[str, tuple[str, ...]] = {
    word: tuple(name for name, words in _TOLD_BY.items() if word in words.split())
    for word in sorted({word for words in _TOLD_BY.values() for word in words.split()})
}
_TELLING = frozenset(_ATTRIBUTES_OF)
ATTRIBUTES: tuple[str, ...] = tuple(sorted(_PATTERNS))


def contrasts_of(text: str, words: frozenset[str]) -> frozenset[tuple[str, str]]:
    """(attribute, value) of a title in plain lower case letters and of its words.

    An attribute of which the title says two values says nothing.
    """
    sought = {name for word in words & _TELLING for name in _ATTRIBUTES_OF[word]}
    if "w" in text and _WORN.search(text):
        sought |= {"waist", "length"}
    if "gb" in text or "tb" in text:
        sought |= {"gigabytes", "terabytes"}
    if not sought:
        return frozenset()
    said: set[tuple[str, str]] = set()
    for name in sorted(sought):
        values: set[str] = set()
        for value, pattern in _PATTERNS[name]:
            if value:
                if pattern.search(text):
                    values.add(value)
            else:
                values.update(
                    group.lstrip("0").removesuffix(".0")
                    for found in pattern.finditer(text)
                    for group in found.groups()
                    if group
                )
        if len(values) == 1:
            said.add((name, values.pop()))
    return frozenset(said)
