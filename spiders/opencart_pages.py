"""What OpenCart's pages say: listings with their further pages, and a product with its choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, product
from urllib.parse import parse_qs, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from aggregator.domain.normalization.prices import UnreadablePrice, read_amount
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.web_addresses import is_on_site
from spiders.untrusted import address, code, refused, storable, text, whole
from spiders.variant_titles import variant_title

_MOST_LINKS = 3000
_MOST_FORMS = 200
_HIGHEST_CLIMB = 40
# Of more combinations than these only the product itself is read, as a "from" price.
_MOST_COMBINATIONS = 100
_SURCHARGE = re.compile(r"\(\s*([+\-–−])\s*([^()]*\d[^()]*)\)\s*$")
_LISTING_LINKS = "#menu a[href], nav a[href], .navbar a[href], #column-left a[href], #content a[href]"
_ITEM_LINKS = ".product-thumb h4 a[href], .product-thumb .name a[href], .product-thumb .image a[href]"
_IN_STOCK = re.compile(
    r"in stock|available now|auf lager|lagernd|vorrätig|en stock|disponible\b|disponibile|in magazzino"
    r"|op voorraad|på lager|i lager|skladem|na sklad|dostępn|raktáron|în stoc|in stoc|stokta|em estoque"
    r"|em stock|в наличии|є в наявності|有現貨|有货|現貨",
    re.IGNORECASE,
)
_OUT_OF_STOCK = re.compile(
    r"out of stock|sold out|not available|unavailable|ausverkauft|nicht (?:auf lager|vorrätig|verfügbar)|rupture"
    r"|épuisé|agotado|sin stock|esaurito|non disponibile|no disponible|uitverkocht|niet op voorraad|udsolgt"
    r"|utsolgt|slut i lager|vyprodáno|není skladem|niedostępn|brak w magazynie|nincs raktáron|stoc epuizat"
    r"|tükendi|stokta yok|esgotado|indisponível|нет в наличии|немає в наявності|缺貨|缺货|無庫存",
    re.IGNORECASE,
)
_PRE_ORDER = re.compile(r"pre-?order|vorbestell|précommande|предзаказ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one page lists: products, its own further pages, and other pages of the menu."""

    products: tuple[str, ...]
    further: tuple[str, ...]
    others: tuple[str, ...]


def read_listing(document: LexborHTMLParser, url: str, site: str) -> Listing:
    """The addresses that a page of the shop leads to."""
    linked = [link for link in _links(document, _LISTING_LINKS, url) if is_on_site(link, site)]
    listed = [link for link in _links(document, _ITEM_LINKS, url) if is_on_site(link, site)]
    products = dict.fromkeys([*listed, *(link for link in linked if "route=product/product&" in f"{link}&")])
    further = [
        link for link in _links(document, ".pagination a[href]", url) if _page_number(link) is not None
    ]
    keys = {product_key(link) for link in products}
    others = [link for link in linked if _may_list(link) and product_key(link) not in keys]
    return Listing(tuple(products), tuple(link for link in further if is_on_site(link, site)), tuple(others))


def _links(document: LexborHTMLParser, selector: str, url: str) -> list[str]:
    found = (address(url, link.attributes.get("href")) for link in document.css(selector)[:_MOST_LINKS])
    return list(dict.fromkeys(link for link in found if link))


def _page_number(url: str) -> int | None:
    return whole(next(iter(parse_qs(urlsplit(url).query).get("page", [])), None))


def _may_list(url: str) -> bool:
    """Whether a link can be a category or brand: not an account page, a form, or a way of viewing a list."""
    asked = parse_qs(urlsplit(url).query)
    if {"sort", "order", "limit", "page", "filter", "product_id", "remove"} & set(asked):
        return False
    route = next(iter(asked.get("route", [])), "")
    if route:
        return route in {
            "product/category",
            "product/manufacturer",
            "product/manufacturer/info",
            "product/manufacturer.info",
        }
    return not re.search(
        r"/(?:checkout|account|login|logout|wishlist|information|contact|affiliate|compare|cart)(?:[/?]|$)",
        url,
    )


def product_key(url: str) -> str:
    """What tells products' addresses apart: one product has several, with and without its category."""
    parts = urlsplit(url)
    number = next(iter(parse_qs(parts.query).get("product_id", [])), None)
    return f"#{number}" if number else parts.path.rstrip("/").rpartition("/")[2].casefold()


def read_product(document: LexborHTMLParser, url: str) -> Iterator[RawOffer | InvalidOffer]:
    """The page's product; each choice of its required options as an offer of one item group."""
    form = _main_form(document)
    number = code(form.attributes.get("value")) if form else None
    heading = document.css_first("#content h1") or document.css_first("h1")
    title = _words(heading)
    if form is None or number is None:
        return
    column = _column(form)
    if title is None or column is None:
        yield refused("no_title", {}, external_id=number, url=url, detail="a product without a heading")
        return
    canonical = document.css_first("link[rel='canonical' i]")
    page = address(url, canonical.attributes.get("href") if canonical else None) or url
    shown, before = _prices(column)
    facts = _facts(column)
    picture = document.css_first("#content .thumbnails img[src], #content .image img[src], #content img[src]")
    whole_offer = RawOffer(
        external_id=number,
        url=page,
        title=title,
        price=shown,
        list_price=before,
        price_kind="sale" if before else None,
        availability=facts.availability,
        stock_level=facts.left,
        brand=facts.brand,
        mpn=facts.model,
        sku=facts.model,
        image_url=address(url, picture.attributes.get("src")) if picture else None,
        source="page",
        raw=storable({"title": title, "price": shown, "before": before, "facts": list(facts.words)}),
    )
    yield from _choices(whole_offer, column)


def is_product(document: LexborHTMLParser) -> bool:
    """Whether the page is a product's own."""
    return _main_form(document) is not None


def _main_form(document: LexborHTMLParser) -> LexborNode | None:
    """The hidden number of the product that the page's own button buys; listed products carry theirs, too."""
    if document.css_first("#button-cart, #product, #form-product") is None:
        return None
    for node in document.css("input[name='product_id']")[:_MOST_FORMS]:
        holder, climbed = node.parent, 0
        while holder is not None and climbed < _HIGHEST_CLIMB:
            if "product-thumb" in (holder.attributes.get("class") or ""):
                break
            holder, climbed = holder.parent, climbed + 1
        else:
            return node
    return None


def _words(node: LexborNode | None) -> str | None:
    return text(" ".join(node.text(separator=" ").split())) if node else None


def _column(form: LexborNode) -> LexborNode | None:
    """The part of the page around the buy button that tells price and stock, without related products."""
    node = form.parent
    for _ in range(8):
        if node is None or node.tag in {"body", "html"}:
            return None
        if node.css_first("ul.list-unstyled, .price-new, .price") and not node.css_first(".product-thumb"):
            return node
        node = node.parent
    return None


def _prices(column: LexborNode) -> tuple[str | None, str | None]:
    """(price, old price) as the page words them; never the net price beside it."""
    struck = column.css_first(".price-old, [style*='line-through'], del, s")
    marked = column.css_first(".price-new")
    if marked is None:
        headings = [
            node
            for node in column.css("ul.list-unstyled h2, .price h2, h2.price, ul.list-unstyled h3")
            if _has_digit(node)
        ]
        marked = headings[0] if headings else None
    return _words(marked), _words(struck)


def _has_digit(node: LexborNode) -> bool:
    return any(character.isdigit() for character in node.text())


@dataclass(frozen=True, slots=True)
class _Facts:
    brand: str | None
    model: str | None
    availability: str | None
    left: int | None
    words: tuple[str, ...]


def _facts(column: LexborNode) -> _Facts:
    """The list above the price: brand (a link), model, points, and stock in the last place, in any language."""
    first = next(
        (node for node in column.css("ul.list-unstyled") if not node.css_first("h2, .price-new")), None
    )
    lines = first.css("li")[:20] if first else []
    linked = next((line for line in lines if line.css_first("a")), None)
    plain = [words for line in lines if line.css_first("a") is None and (words := _words(line))]
    values = [words.partition(":")[2].strip() or words for words in plain]
    stock = values[-1] if len(values) > 1 else None
    left = whole(stock)
    return _Facts(
        brand=_words(linked.css_first("a")) if linked else None,
        model=code(values[0]) if values else None,
        availability=read_stock(stock),
        left=left if left is not None and left > 0 else None,
        words=tuple(words for line in lines if (words := _words(line))),
    )


def read_stock(words: str | None) -> str | None:
    """From a number of pieces or a stock status: "25", "In Stock", "2-3 Days", "Out Of Stock"."""
    left = whole(words)
    if left is not None:
        return "InStock" if left > 0 else "OutOfStock"
    if not words:
        return None
    for pattern, availability in (
        (_PRE_ORDER, "PreOrder"),
        (_OUT_OF_STOCK, "OutOfStock"),
        (_IN_STOCK, "InStock"),
    ):
        if pattern.search(words):
            return availability
    # A time of delivery stands there while nothing is in stock, and the shop's checkout refuses it then.
    return "OutOfStock" if re.search(r"\d", words) else None


@dataclass(frozen=True, slots=True)
class _Choice:
    option: str
    value_id: str
    value: str
    surcharge: Decimal


def _choices(whole_offer: RawOffer, column: LexborNode) -> Iterator[RawOffer | InvalidOffer]:
    options = _required_options(column)
    if not options:
        yield whole_offer
        return
    combinations = 1
    for choices in options:
        combinations *= len(choices)
    base = _amount(whole_offer.price)
    if combinations > _MOST_COMBINATIONS or base is None:
        whole_offer.price_kind = "from"
        yield whole_offer
        return
    amount, currency = base
    old = _amount(whole_offer.list_price)
    for chosen in islice(product(*options), _MOST_COMBINATIONS):
        extra = sum((choice.surcharge for choice in chosen), Decimal(0))
        yield RawOffer(
            external_id=f"{whole_offer.external_id}:{'-'.join(choice.value_id for choice in chosen)}",
            url=whole_offer.url,
            title=variant_title(whole_offer.title, (choice.value for choice in chosen)),
            price=amount + extra,
            price_currency=currency,
            list_price=old[0] + extra if old else None,
            price_kind=whole_offer.price_kind,
            # How many there are of one choice is not shown: what the page counts is all of them together.
            availability=whole_offer.availability if whole_offer.availability == "OutOfStock" else None,
            brand=whole_offer.brand,
            mpn=whole_offer.mpn,
            sku=whole_offer.sku,
            image_url=whole_offer.image_url,
            item_group_id=whole_offer.external_id,
            variant_attributes={choice.option: choice.value for choice in chosen},
            source=whole_offer.source,
            raw=whole_offer.raw,
        )


def _amount(words: Decimal | str | None) -> tuple[Decimal, str | None] | None:
    if words is None:
        return None
    try:
        amount, currency, _ = read_amount(words)
    except (UnreadablePrice, ArithmeticError):
        return None
    return amount, currency


def _required_options(column: LexborNode) -> list[list[_Choice]]:
    """The choices of each option that must be made; an option with an unreadable surcharge has none."""
    found: list[list[_Choice]] = []
    for field in column.css(".required")[:20]:
        label = _words(field.css_first("label")) or f"Option {len(found) + 1}"
        choices: list[_Choice] = []
        for node in field.css("select option[value]")[:200]:
            choices += _choice(label, node.attributes.get("value"), _words(node))
        for node in field.css("input[type='radio'][value]")[:200]:
            holder = node.parent
            while holder is not None and not _words(holder) and holder.tag != "body":
                holder = holder.parent
            choices += _choice(label, node.attributes.get("value"), _words(holder))
        if choices:
            found.append(choices)
    return found


def _choice(option: str, value_id: str | None, words: str | None) -> list[_Choice]:
    if not code(value_id) or not words:
        return []
    surcharge, name = Decimal(0), words
    found = _SURCHARGE.search(words)
    if found:
        read = _amount(found[2])
        if read is None:
            return []
        surcharge, name = (read[0] if found[1] == "+" else -read[0]), words[: found.start()].strip()
    return [_Choice(option, str(value_id), name, surcharge)]
