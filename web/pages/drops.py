"""What really fell in price of late."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template

from aggregator.catalog.price_history import list_price_drops
from web.db import current_session

pages = Blueprint("drops", __name__)
RECENT = timedelta(hours=48)


@pages.get("/drops")
def show() -> str:
    """Products that cost less than in the 30 days before, since yesterday."""
    return render_template("drops/show.html", drops=list_price_drops(current_session(), within=RECENT))
