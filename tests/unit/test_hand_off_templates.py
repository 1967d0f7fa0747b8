"""Add-to-cart links by a template, a merchant's or an operator's own."""

from __future__ import annotations

import pytest

from aggregator.domain.hand_off_templates import fill_link_template
from aggregator.domain.stores import HandOffLine, Store
from aggregator.shopping.hand_off_links import build_hand_off

SITE = "https://shop.example"
TEMPLATE = f"{SITE}/cart/add?id={{id}}&qty={{quantity}}"


def line(external_id: str = "K 1", quantity: int = 2) -> HandOffLine:
    return HandOffLine(
        external_id=external_id, title="Kettle", url=f"{SITE}/k", quantity=quantity, sku=None, handoff=()
    )


def store(template: str = "") -> Store:
    options = {"checkout_link_template": template} if template else {}
    return Store(id="x", slug="shop", name="Shop", url=SITE, platform="generic", options=options)


@pytest.mark.parametrize(
    ("template", "quantity", "link"),
    [
        (TEMPLATE, 2, f"{SITE}/cart/add?id=K%201&qty=2"),
        (f"{SITE}/add/%7Bid%7D", 1, f"{SITE}/add/K%201"),
        # A link that cannot carry the quantity would put one piece into the cart.
        (f"{SITE}/add/{{id}}", 2, None),
        ("https://elsewhere.example/add?id={id}&qty={quantity}", 1, None),
        (f"{SITE}/add?id={{id}}&price={{price}}", 1, None),
        ("javascript:alert({id})", 1, None),
        ("", 1, None),
    ],
)
def test_a_template_gives_a_link_on_the_stores_own_site_or_none(
    template: str, quantity: int, link: str | None
) -> None:
    assert fill_link_template(template, "K 1", quantity, site=SITE) == link


def test_an_operators_template_goes_before_what_the_platform_does() -> None:
    built = build_hand_off(store(TEMPLATE), [line(), line("M", 1)])
    assert (built.kind, built.item_urls) == (
        "item_link",
        (f"{SITE}/cart/add?id=K%201&qty=2", f"{SITE}/cart/add?id=M&qty=1"),
    )
    assert build_hand_off(store(), [line()]).kind == "product_link"
    # What it cannot do for one of the lines, the platform does for all.
    assert build_hand_off(store(f"{SITE}/add/{{id}}"), [line()]).kind == "product_link"
