"""All that is offered for one line of a cart, so that the shopper can choose another offer than the plan does."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from aggregator.catalog.shipping_terms import Basis
from aggregator.domain.carts import BasketOffer, BasketStore
from aggregator.domain.checkouts import CartLine
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.plan_reasons import LeftOut
from aggregator.shopping.cart_lines import read_cart
from aggregator.shopping.cart_offers import CartOffer, Market, read_cart_offers, today
from aggregator.shopping.planning.adding import store_share


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOffer:
    """One offer for the line. `packs` of it give what is wanted and cost `goods`; an order of these alone `shipping`.

    `shipping` is None where it is unknown, or the store takes no such order (`is_refused`).
    """

    offer: CartOffer
    packs: int
    goods: Money
    shipping: Money | None
    basis: Basis
    is_refused: bool

    @property
    def total(self) -> Money | None:
        """What the line costs there alone; None where that is not known."""
        return None if self.shipping is None else self.goods + self.shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOffers:
    """The offers of one line, cheapest first, with the options by which some are left out."""

    line: CartLine
    offers: tuple[LineOffer, ...]
    unusable: dict[LeftOut, int]
    options: PlanOptions
    country: str | None


def list_line_offers(
    session: Session, token: str | None, line_id: str, *, currency: str = "EUR", country: str | None = None
) -> LineOffers:
    """What is offered for a line now, what the shopper left out included. Raises NotFound."""
    cart = read_cart(session, token)
    stored = next((each for each in cart.lines if line_id in each.row_public_ids), None) if cart else None
    if cart is None or stored is None:
        raise NotFound("cart line", line_id)
    market = Market(currency=currency, country=cart.country or country, today=today())
    found = read_cart_offers(session, [stored], cart.options, market)
    offers = [_line_offer(offer, stored.line.quantity, market) for offer in found.offers]
    offers.sort(key=lambda each: (each.offer.left_out is not None, each.goods.amount))
    return LineOffers(
        line=stored.line,
        offers=tuple(offers),
        unusable=dict(found.unusable.get(stored.line.id, {})),
        options=cart.options,
        country=market.country,
    )


def _line_offer(offer: CartOffer, wanted: int, market: Market) -> LineOffer:
    packs = -(-wanted // offer.pack_size)
    terms = offer.store.terms
    store = BasketStore(offer.store.id, terms.rule)
    lot = BasketOffer(
        offer.id,
        offer.line_id,
        offer.store.id,
        offer.price.amount,
        unit_shipping=offer.unit_shipping,
        deposit=offer.deposit,
    )
    share = store_share(store, [(lot, packs)], market.currency)
    shipping = None if share is None or share.shipping is None else Money(share.shipping, market.currency)
    goods = (offer.price.amount + offer.deposit) * Decimal(packs)
    return LineOffer(
        offer=offer,
        packs=packs,
        goods=Money(goods, market.currency),
        shipping=shipping,
        basis=terms.basis,
        is_refused=share is None,
    )
