"""The parts that all pages are made of, on one page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask import Blueprint, render_template

from aggregator.domain.money import Money
from aggregator.domain.products import ProductCard
from aggregator.domain.vocabulary import Availability

pages = Blueprint("design", __name__)
_TITLES = (
    ("Canon EOS 250D digital camera with 18-55 mm lens", "Canon", "Photo > Cameras", "549.00", 6, True),
    ("ثلاجة سامسونج 500 لتر بباب مزدوج RT50K", "Samsung", "Fridges", "799.90", 2, True),
    ("A title that goes on for much longer than anybody would read " * 3, None, None, "1234567.89", 40, True),
    ("Kettle that is sold out", "Alfi", "Kettles", "19.90", 1, False),
)


@pages.get("/design")
def show() -> str:
    """Every part with made-up content, in the visitor's theme."""
    cards = [
        ProductCard(
            id=f"sample{number}", slug="sample", title=title.strip(), brand=brand, category=category, image_url=None,
            store_count=stores, offer_count=stores, lowest_price=Money(Decimal(price), "EUR"), is_available=available,
        )
        for number, (title, brand, category, price, stores, available) in enumerate(_TITLES)
    ]  # fmt: skip
    now = datetime.now(UTC)
    return render_template(
        "design/show.html",
        cards=cards,
        fresh=now - timedelta(minutes=12),
        stale=now - timedelta(hours=30),
        availabilities=[None, *Availability],
    )
