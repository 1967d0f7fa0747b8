"""What a title says: words, model codes, measures, numbers, colours, editions, packs, accessories, condition."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from matcher.contrasts import contrasts_of

# Unit as written -> (dimension, factor to the dimension's base unit).
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("inch", "inches", "in", "zoll", '"', "''", "”", "'"), ("length in inches", 1.0)),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), ("length in inches", 1 / 2.54)),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), ("length in inches", 1 / 25.4)),
    **dict.fromkeys(("ft", "feet", "foot"), ("length in inches", 12.0)),
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), ("length in inches", 39.3701)),
    **dict.fromkeys(("kb",), ("gigabytes", 1 / 1024**2)),
    **dict.fromkeys(("mb", "mbyte"), ("gigabytes", 1 / 1024)),
    **dict.fromkeys(("gb", "gbyte", "gig"), ("gigabytes", 1.0)),
    **dict.fromkeys(("tb", "tbyte"), ("gigabytes", 1024.0)),
    **dict.fromkeys(("g", "gr", "gram", "grams", "gramm"), ("grams", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilogram"), ("grams", 1000.0)),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), ("grams", 453.592)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("ounces", 1.0)),
    **dict.fromkeys(("ml",), ("litres", 0.001)),
    **dict.fromkeys(("cl",), ("litres", 0.01)),
    **dict.fromkeys(("l", "ltr", "litre", "litres", "liter", "liters"), ("litres", 1.0)),
    **dict.fromkeys(("cuft",), ("cubic feet", 1.0)),
    **dict.fromkeys(("w", "watt", "watts"), ("watts", 1.0)),
    **dict.fromkeys(("kw",), ("watts", 1000.0)),
    **dict.fromkeys(("v", "volt", "volts"), ("volts", 1.0)),
    **dict.fromkeys(("mah",), ("milliampere hours", 1.0)),
    **dict.fromkeys(("hz",), ("hertz", 1.0)),
    **dict.fromkeys(("mhz",), ("hertz", 1e6)),
    **dict.fromkeys(("ghz",), ("hertz", 1e9)),
    **dict.fromkeys(("mp", "megapixel", "megapixels", "mpix"), ("megapixels", 1.0)),
    **dict.fromkeys(("rpm",), ("turns a minute", 1.0)),
    **dict.fromkeys(("btu",), ("heat units", 1.0)),
    **dict.fromkeys(("dpi",), ("dots an inch", 1.0)),
    **dict.fromkeys(("db",), ("decibels", 1.0)),
    **dict.fromkeys(("user", "users", "u"), ("users", 1.0)),
    **dict.fromkeys(("core", "cores"), ("cores", 1.0)),
    **dict.fromkeys(("x",), ("zoom or speed", 1.0)),
    **dict.fromkeys(("year", "years", "yr"), ("years", 1.0)),
    **dict.fromkeys(("pieces", "piece", "pc", "pcs", "stk", "stuck"), ("pieces", 1.0)),
    **dict.fromkeys(("p", "i"), ("lines of picture", 1.0)),
    **dict.fromkeys(("bit",), ("bits", 1.0)),
    **dict.fromkeys(("channel", "ch"), ("channels", 1.0)),
}
# These mean a unit only when they touch the number ("5 g" may be anything, "5g" is not five and a G).
_NETWORKS = {"2", "3", "4", "5"}  # of mobile phones, "5G": nothing that is sold weighs so little
_TOUCHING_ONLY = {"m", "g", "v", "u", "x", "p", "i", "in", "'"}
_UNIT_WORDS = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_MEASURE = re.compile(rf"(?<![a-z0-9.])(\d+(?:[.,]\d+)?)(\s*-?\s*)({_UNIT_WORDS})(?![a-z0-9])", re.ASCII)
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}
_THOUSANDS = re.compile(r"(?<![\w.,])(\d{1,3})(?:,(\d{3})| (000))(?!\w)")
_PIECE = re.compile(r"v\.? ?\d+(?:\.\d+)*(?![a-z0-9])|\d+[.,]\d+(?![a-z0-9])|[a-z0-9]+(?:[-._/][a-z0-9]+)*")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_PLAIN_NUMBER = re.compile(r"\d{1,4}|\d+[.,]\d+")
_CUBIC_FEET = re.compile(r"\bcu\.?\s*ft\b\.?")
_MOST_PIECES = 1000
_BEFORE_MEASURE = re.compile(r"[a-z0-9./_]*-$")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"\bv(?=\d+\b)|\d+\.\d+|[^\W_]+")
_PACK = re.compile(
    r"\b(?:pack|set|case|box|lot)\s+of\s+(\d{1,4})\b"
    r"|\b(\d{1,4})\s*-?\s*(?:colou?rs?\s+)?(?:pack|packs|pk|count|ct|er pack|er-pack|stuck|stk)\b"
    r"|\b(\d{1,3})\s*x\s+(?=\d+(?:[.,]\d+)?\s*(?:ml|cl|l|g|kg)\b)"
    r"|\b(twin|double|triple)\s*-?\s*pack\b"
)
# A count that the code names too is the product's own: the 40 pack SVMF40P.
_NAMED_PACK = re.compile(r"[a-z]{2,}(\d{2,4})(?:p|pk|pack)")
_PACK_WORDS = {"twin": 2, "double": 2, "triple": 3}
_REFURBISHED = re.compile(
    r"\b(refurb\w*|renewed|reconditioned|remanufactured|open[ -]?box|used|b-ware|gebraucht)\b"
)
_ACCESSORY_FOR = frozenset("for compatible fits fur pour para per".split())
_ACCESSORY_WORDS = frozenset(
    "case cover mount adapter adaptor cable battery charger stand bag strap skin sleeve holder bracket filter"
    " lens cartridge toner ink remote dock cradle pouch film protector replacement hood kit refill"
    " hulle kabel tasche".split()
)
_ADDED = (
    r"(?:\b(?:with|and|plus|incl|including)\b|[+&])\s+(?:free\s+)?(?:[a-z]+\s+){0,2}"
    r"(?:bag|bracket|case|cover|mount|kit|stand|cable|tripod|pouch|strap|headset|kettle|game|games|mouse|keyboard"
    r"|memory card|gift card|charger|cradle|batteries|battery)\b"
)
# A bundle: the product with something that is sold by itself too. Within a title ("keyboard and mouse combination")
# that may be the product itself.
_BUNDLE = re.compile(rf"\bbundle\b|{_ADDED}\s*$")
_MAYBE_BUNDLE = re.compile(rf"\bbundle\b|{_ADDED}")
_REGIONS: dict[str, str] = {
    **dict.fromkeys(("uk", "gb", "british"), "uk"),
    **dict.fromkeys(("us", "usa", "american"), "us"),
    **dict.fromkeys(("eu", "euro", "european"), "eu"),
    **dict.fromkeys(("german", "deutsche", "deutsch", "qwertz"), "german"),
    **dict.fromkeys(("french", "francaise", "azerty"), "french"),
    **{
        word: word
        for word in "japanese chinese korean indian australian canadian swiss italian spanish nordic russian"
        " international global".split()
    },
}
_REGION = re.compile(
    rf"\b(qwertz|azerty|deutsch)\b|\bqwerty ({'|'.join(_REGIONS)})\b"
    rf"|\b({'|'.join(_REGIONS)})[ -](?:plug|version|model|layout|keyboard|qwerty|import|spec|stecker|english)\b"
    rf"|\bversion ({'|'.join(_REGIONS)})\b"
)
_COLOURS: dict[str, str] = {
    **dict.fromkeys(("black", "blk", "schwarz", "noir", "nero", "negro", "onyx", "ebony"), "black"),
    **dict.fromkeys(("white", "wht", "weiss", "wei", "blanc", "bianco", "blanco"), "white"),
    **dict.fromkeys(
        ("silver", "slv", "silber", "inox", "edelstahl", "stainless", "argent", "platinum"), "silver"
    ),
    **dict.fromkeys(
        ("gray", "grey", "grau", "gris", "graphite", "charcoal", "titanium", "titan", "anthracite"), "grey"
    ),
    **dict.fromkeys(("red", "rot", "rouge", "rosso", "rojo", "crimson", "burgundy", "cherry"), "red"),
    **dict.fromkeys(("blue", "blau", "bleu", "blu", "azul", "navy", "indigo"), "blue"),
    **dict.fromkeys(("green", "grun", "vert", "verde", "olive"), "green"),
    **dict.fromkeys(("pink", "rosa", "rose", "magenta"), "pink"),
    **dict.fromkeys(("yellow", "gelb", "jaune", "giallo"), "yellow"),
    **dict.fromkeys(("orange",), "orange"),
    **dict.fromkeys(("purple", "lila", "violet", "plum"), "purple"),
    **dict.fromkeys(("brown", "braun", "brun", "espresso", "chocolate", "walnut"), "brown"),
    **dict.fromkeys(("gold", "champagne", "bronze", "copper"), "gold"),
    **dict.fromkeys(("cream", "beige", "biscuit", "bisque", "ivory"), "cream"),
    **dict.fromkeys(("cyan", "turquoise", "teal"), "cyan"),
}
# Techniques that are called by a colour, and words by which a title is known to name one.
_TECHNIQUE_WORDS = frozenset(("ray", "eye"))
_CALLED_BY_A_COLOUR = re.compile(r"\bblu[ -]?ray\b|\bred[ -]?eye\b")
_EDITIONS: dict[str, str] = {
    **dict.fromkeys(("pro", "professional"), "professional"),
    **dict.fromkeys(("deluxe", "dlx"), "deluxe"),
    **dict.fromkeys(("premium", "prem"), "premium"),
    **dict.fromkeys(("std", "standard"), "standard"),
    **dict.fromkeys(("upg", "upgrade", "upgrd"), "upgrade"),
    **dict.fromkeys(
        ("academic", "student", "edu", "education", "educational", "school", "teacher"), "academic"
    ),
    **dict.fromkeys(("mac", "macintosh", "osx"), "mac"),
    **dict.fromkeys(("license", "licence", "lic", "licensing"), "licence"),
    **{
        word: word
        for word in "plus max mini ultra lite light se home basic small business enterprise ultimate elite"
        " express server client oem retail subscription maintenance renewal essentials suite bundle gold platinum"
        " extended limited collectors junior kids men women left right wireless wired gas electric curved".split()
    },
}
# Letters and digits, yet the name of a technique and never of a product.
_TECHNIQUES = frozenset(
    "mp3 mp4 mpeg2 mpeg4 h264 h265 x264 ac3 ddr1 ddr2 ddr3 ddr4 ddr5 usb2 usb3 rs232 rj45 cat5 cat5e cat6"
    " wifi4 wifi5 wifi6 80211 80211a 80211b 80211g 80211n 80211ac 80211bg 80211abg dvb dvbt2 dvbs2 dvbc"
    " 3d 2d 4k 8k uhd4k 4kuhd hdr10 hd1080 ps2 ps3 ps4 ps5 a3 a4 win7 win95 win98 win2000 winxp win32 win64 x86 x64"
    " lga775 lga1150 lga1151 lga1155".split()
)
# Versions, service packs, ordinals, counts and dimensions: numbers with letters, but no one's model.
_VERSION = re.compile(r"(?:v|ver|version|vol|sp|no|nr|pt|ed|rel)(\d{1,4}(?:\.\d+)*)")
_NOT_A_CODE = re.compile(
    r"\d+(?:st|nd|rd|th|k|u|pk|pc|pcs|usr|user|users|lic|yr|mo|cd|cds|dvd|way|port|ports|bit|ch|in|d|s|x)"
    r"|\d+x\d+(?:x\d+)?[a-z]{0,3}"
)
# A code without digits: capitals in a title that has small letters too, hardly pronounceable ("LCS-TWA/B", "UCLXB").
_CAPITALS = re.compile(r"(?<![\w/.-])[A-Z]+(?:-[A-Z]+)*(?:/[A-Z]{1,2})?(?![\w/.-])")
_UNPRONOUNCEABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}")
_MOST_VOWELS = 0.34
_SHORTEST_OF_LETTERS, _LONGEST_OF_LETTERS = 5, 16
# Letters of techniques and forms of trade, whatever they are joined with.
_ABBREVIATIONS = frozenset(
    "dvd cd bd hd sd hdd ssd usb hdmi dvi vga rgb lcd led hdtv sdhc sdxc mmc xd rw rom ram ddr lan wlan wifi dsl dvr"
    " nas pc pcmcia pci pcie agp rfid gps gsm cdma lte tft crt oem nfr html xml php sql rtl hdcp atx matx smtp pdf"
    " rgbw cmyk uhd qhd fhd wxga wuxga sxga xga".split()
)


@dataclass(frozen=True, slots=True)
class TitleReading:
    """What one title says. `words` keep their order, and so do `pieces`: what is left beside the measures,
    without separators, where neighbours may be one code written apart ("WH 1000XM4"). `region` is the market
    that the product is made for, by plug, keyboard or version, where the title tells; a `bundle` (1) holds
    something else too, or may do so (-1) where the addition stands within the title; `contrasts` are what parts
    look-alikes (`matcher.contrasts`).
    """

    words: tuple[str, ...]
    pieces: tuple[str, ...]
    codes: frozenset[str]
    measures: frozenset[tuple[str, str]]
    numbers: frozenset[str]
    colours: frozenset[str]
    editions: frozenset[str]
    accessory: bool
    pack: int
    refurbished: bool
    region: str
    bundle: int
    contrasts: frozenset[tuple[str, str]]


def plain(text: str) -> str:
    """Lower case without accents and entities: "Kühl&shy;schrank" -> "kuhlschrank"."""
    if text.isascii():
        return (html.unescape(text) if "&" in text else text).casefold()
    for sign, digits in _FRACTIONS.items():
        text = text.replace(sign, digits)
    decomposed = unicodedata.normalize("NFKD", html.unescape(text).casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign) and sign != "\xad")


def squashed(code: str) -> str:
    """A code without separators and case, as codes are compared: "WH-1000XM4" -> "wh1000xm4"."""
    return _SEPARATOR.sub("", plain(code))


def looks_like_code(squashed_token: str) -> bool:
    """Letters with digits (3 signs or more) or at least 5 digits, and not the name of a technique."""
    if squashed_token in _TECHNIQUES or _NOT_A_CODE.fullmatch(squashed_token):
        return False
    if squashed_token.isdigit():
        return 5 <= len(squashed_token) <= 14
    return 3 <= len(squashed_token) <= 24 and _DIGIT.search(squashed_token) is not None


def _codes_of_letters(title: str) -> set[str]:
    if title.isupper() or not any(sign.isupper() for sign in title):
        return set()
    found: set[str] = set()
    for text in _CAPITALS.findall(title):
        code = _SEPARATOR.sub("", text.casefold())
        if (
            _SHORTEST_OF_LETTERS <= len(code) <= _LONGEST_OF_LETTERS
            and _UNPRONOUNCEABLE.search(code)
            and sum(sign in "aeiouy" for sign in code) <= _MOST_VOWELS * len(code)
            and code not in _COLOURS
            and _ABBREVIATIONS.isdisjoint(_SEPARATOR.split(text.casefold()))
        ):
            found.add(code)
    return found


def _number(text: str) -> str:
    value = float(text.replace(",", "."))
    return f"{value:g}" if value < 1e6 else str(int(value))


def _measure_value(dimension: str, amount: float) -> str:
    if dimension == "length in inches" and amount >= 10:
        return str(round(amount))
    return f"{amount:.3g}"


def _take_measures(text: str) -> tuple[str, set[tuple[str, str]], set[str]]:
    measures: set[tuple[str, str]] = set()
    numbers: set[str] = set()

    def take(match: re.Match[str]) -> str:
        number, gap, unit = match.groups()
        start = match.start()
        piece_before = _BEFORE_MEASURE.search(text, 0, start) if text[start - 1 : start] == "-" else None
        inside_code = piece_before is not None and any(sign.isdigit() for sign in piece_before.group())
        if inside_code or (gap.strip(" ") == "" and gap and unit in _TOUCHING_ONLY) or len(number) > 7:
            return match.group()
        if unit == "g" and number in _NETWORKS:
            return match.group()
        dimension, factor = _UNITS[unit]
        if dimension == "lines of picture" and number not in {"480", "576", "720", "1080", "1440", "2160"}:
            return match.group()
        amount = float(number.replace(",", "."))
        if dimension == "pieces" and piece_before and amount >= _MOST_PIECES:
            return match.group()  # VN-4100PC
        if dimension == "megapixels":
            amount = math.floor(amount)  # 14.7 and 14 megapixels are one camera
        measures.add((dimension, _measure_value(dimension, amount * factor)))
        numbers.add(_number(str(amount)))
        return " "

    return _MEASURE.sub(take, text), measures, numbers


@lru_cache(maxsize=1 << 16)
def _pieces(text: str) -> tuple[tuple[str, str, str], ...]:
    """The words of a text without spaces, separators taken out: each with whether it is a code, a number or
    neither (""), and the code or number. A slash parts two words unless a short suffix follows ("LL/A").
    """
    pieces: list[str] = []
    current, *rest = text.replace(" ", "").replace("v.", "v").split("/")
    for part in rest:
        if len(part) <= 2 and any(sign.isdigit() for sign in current):
            current += part
        else:
            pieces.append(current)
            current = part
    return tuple(_meaning(piece) for piece in (*pieces, current))


def _meaning(piece: str) -> tuple[str, str, str]:
    compact = _SEPARATOR.sub("", piece)
    if _PLAIN_NUMBER.fullmatch(piece):
        return compact, "number", _number(piece)
    if version := _VERSION.fullmatch(piece):
        return compact, "number", _number(".".join(version.group(1).split(".")[:2]))
    return compact, "code" if looks_like_code(compact) else "", compact


def _words_beside_techniques(text: str, words: frozenset[str]) -> frozenset[str]:
    return frozenset(_WORD.findall(_CALLED_BY_A_COLOUR.sub(" ", text))) if words & _TECHNIQUE_WORDS else words


def _bundle(text: str) -> int:
    if not _MAYBE_BUNDLE.search(text):
        return 0
    return 1 if _BUNDLE.search(text) else -1


def _pack(counts: list[int], codes: set[str]) -> int:
    count = max(counts, default=1) or 1
    if count == 1:
        return 1
    named = {match.group(1) for code in codes if (match := _NAMED_PACK.fullmatch(code))}
    return 1 if str(count) in named else count


def read_title(title: str) -> TitleReading:
    """Read one title. Pure; a title in any language and any state gives some reading."""
    text = _CUBIC_FEET.sub("cuft", _THOUSANDS.sub(r"\1\2\3", plain(title)))
    packs = [
        int(one or two or three) if (one or two or three) else _PACK_WORDS[word]
        for one, two, three, word in _PACK.findall(text)
    ]
    without_measures, measures, numbers = _take_measures(_PACK.sub(" ", text))
    words = tuple(_WORD.findall(text))
    codes = _codes_of_letters(title)
    pieces = []
    for text_piece in _PIECE.findall(without_measures):
        for compact, kind, value in _pieces(text_piece):
            pieces.append(compact)
            if kind == "code":
                codes.add(value)
            elif kind == "number":
                numbers.add(value)
    word_set = frozenset(words)
    return TitleReading(
        words=words,
        pieces=tuple(pieces),
        codes=frozenset(codes),
        measures=frozenset(measures),
        numbers=frozenset(numbers),
        colours=frozenset(
            _COLOURS[word] for word in _words_beside_techniques(text, word_set) if word in _COLOURS
        ),
        editions=frozenset(_EDITIONS[word] for word in word_set if word in _EDITIONS),
        accessory=bool(word_set & _ACCESSORY_WORDS) or bool(word_set & _ACCESSORY_FOR),
        pack=_pack(packs, codes),
        refurbished=bool(_REFURBISHED.search(text)),
        region=_REGIONS[next(filter(None, region.groups()))] if (region := _REGION.search(text)) else "",
        bundle=_bundle(text),
        contrasts=contrasts_of(text, word_set),
    )
