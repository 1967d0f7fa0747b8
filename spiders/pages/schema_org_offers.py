"""Offers of schema.org markup: which of them can be bought, and what is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from spiders.pages.items import Item, ItemGraph, local_name
from spiders.untrusted import decimal, text

_FORMER_PRICES = frozenset(
    {"listprice", "strikethroughprice", "msrp", "srp", "suggestedretailprice", "regularprice"}
)
_NO_PRICES = frozenset({"minimumadvertisedprice", "invoiceprice"})


@dataclass(frozen=True, slots=True)
class AskedPrice:
    """What an offer asks. Text stays text: normalization knows how people write numbers."""

    price: Decimal | str | None = None
    currency: str | None = None
    list_price: Decimal | str | None = None
    kind: str | None = None


def sellable_offers(graph: ItemGraph, product: Item) -> list[Item]:
    """The offers to take: several only where each names a unit of its own, else the one to show.

    Offers of other sellers, of used pieces or in other currencies repeat one unit; the first new one that
    is there stands for it. An AggregateOffer counts by itself only where it lists no offers.
    """
    offers: list[Item] = []
    for offer in graph.items(product, "offers", "offer"):
        inner = graph.items(offer, "offers") if "aggregateoffer" in offer.types else []
        offers.extend(inner or [offer])
    if len(offers) < 2:
        return offers
    for names in (("sku",), ("gtin13", "gtin", "mpn")):
        keys = [graph.text(offer, *names) for offer in offers]
        if all(keys) and len(set(keys)) == len(keys):
            return offers
    priced = [offer for offer in offers if read_asked_price(graph, offer).price is not None] or offers
    return [min(priced, key=lambda offer: (_is_used(graph, offer), _is_away(graph, offer)))]


def _is_used(graph: ItemGraph, offer: Item) -> bool:
    condition = local_name(graph.text(offer, "itemcondition") or "")
    return condition not in {"", "newcondition", "new"}


def _is_away(graph: ItemGraph, offer: Item) -> bool:
    return is_away(graph.text(offer, "availability"))


def is_away(availability: object) -> bool:
    """Whether an availability as markup words it says that there is none."""
    return local_name(str(availability or "")) in {"outofstock", "soldout", "discontinued"}


def read_asked_price(graph: ItemGraph, offer: Item) -> AskedPrice:
    """The current price with its list price; a low price of many variants only as a "from" price."""
    currency = _currency(graph, offer)
    former: Decimal | str | None = None
    current: Decimal | str | None = None
    current_currency, kind = None, None
    member: Decimal | str | None = None
    for specification in _specifications(graph, offer):
        amount = _amount(graph, specification, "price")
        if amount is None:
            continue
        price_type = local_name(graph.text(specification, "pricetype") or "")
        if price_type in _FORMER_PRICES:
            former = amount
        elif graph.values(specification, "validformembertier"):
            member = amount
        elif price_type not in _NO_PRICES and current is None:
            current, current_currency = amount, _currency(graph, specification)
            kind = "sale" if price_type == "saleprice" else None
    plain = _amount(graph, offer, "price")
    if plain is not None and (former is None or current is None or plain != former):
        current, current_currency = plain, currency
    if current is None and member is not None:
        current, kind = member, "member"
    if current is not None:
        return AskedPrice(current, current_currency or currency, former, kind)
    low, high = _amount(graph, offer, "lowprice"), _amount(graph, offer, "highprice")
    if low is not None:
        return AskedPrice(low, currency, None, None if low == high or _is_single(graph, offer) else "from")
    return AskedPrice(None, currency)


def _is_single(graph: ItemGraph, offer: Item) -> bool:
    return graph.text(offer, "offercount") == "1"


def _specifications(graph: ItemGraph, offer: Item) -> list[Item]:
    """Price specifications that are prices of the thing: unit prices (per 100 g) and minimum quantities are not."""
    found = []
    for specification in graph.items(offer, "pricespecification"):
        found.extend(graph.items(specification, "pricecomponent") or [specification])
    return [item for item in found if not graph.values(item, "referencequantity", "eligiblequantity")]


def _amount(graph: ItemGraph, item: Item, name: str) -> Decimal | str | None:
    """A number is exact; a text is left as it is."""
    for value in graph.values(item, name):
        if isinstance(value, Item):
            continue
        if isinstance(value, int | Decimal):
            return decimal(value)
        words = text(value, 100)
        if words:
            return words
    return None


def _currency(graph: ItemGraph, item: Item) -> str | None:
    return text(graph.text(item, "pricecurrency"), 10)


def checkout_template(graph: ItemGraph, *items: Item) -> str | None:
    """The template of a link that buys it: `checkoutPageURLTemplate`, else where a BuyAction leads."""
    for item in items:
        if template := text(graph.text(item, "checkoutpageurltemplate"), 2000):
            return template
    for item in items:
        for action in graph.items(item, "potentialaction"):
            if "buyaction" not in action.types:
                continue
            for target in graph.values(action, "target"):
                found = graph.text(target, "urltemplate") if isinstance(target, Item) else target
                if template := text(found, 2000):
                    return template
    return None


def shipping_cost(graph: ItemGraph, offer: Item, currency: str | None) -> Decimal | None:
    """The shipping rate, where the offer says exactly one in its own currency."""
    rates = set()
    for details in graph.items(offer, "shippingdetails"):
        for rate in graph.items(details, "shippingrate"):
            amount = decimal(graph.text(rate, "value"))
            if amount is None or graph.text(rate, "currency") not in (None, currency):
                return None
            rates.add(amount)
    return rates.pop() if len(rates) == 1 else None
