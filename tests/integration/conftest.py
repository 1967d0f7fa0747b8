"""A browser on the site, and a small catalogue for it to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from aggregator.accounts import passwords
from aggregator.accounts.roles import Role
from aggregator.accounts.sign_in import invite
from aggregator.catalog.match_links import MatchLink, keep_links
from aggregator.catalog.products import describe_products
from aggregator.db.models import OfferPriceRow
from aggregator.db.session import Sessions
from aggregator.domain.products import Evidence
from aggregator.settings import Settings
from tests.integration.fault_world import World, good_state
from tests.integration.plugged_platforms import plugged_in
from tests.integration.shop_rows import flat_shipping, offer_row, product_row, store_row
from web import create_app


class Browser:
    """A visitor: keeps cookies, follows nothing by itself, sends the form token that pages carry."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self._form_token = ("", "")

    def get(self, address: str, **options: object) -> TestResponse:
        return self.client.get(address, **options)

    def page(self, address: str) -> str:
        """The page's HTML; the answer must be 200."""
        answer = self.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        return answer.text

    def post(self, address: str, **form: object) -> TestResponse:
        return self.client.post(address, data={"csrf_token": self.form_token(), **form})

    def form_token(self) -> str:
        """What a page's forms carry; asked for again once the session has another."""
        secret, token = self._form_token
        with self.client.session_transaction() as session:
            if token and session.get("csrf_token") == secret:
                return token
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/login/link/none"))
        assert found
        with self.client.session_transaction() as session:
            self._form_token = (session["csrf_token"], found[1])
        return found[1]

    def sign_in(self, sessions: Sessions, role: Role, email: str = "ada@example.org") -> None:
        with sessions.begin() as session:
            token = invite(session, email, role)
        assert self.post(f"/login/link/{token}").status_code == 303


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passwords cost is tested where it matters; elsewhere it would be most of the time."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=16, parallelism=1))


@dataclass(frozen=True, slots=True)
class ShopWindow:
    """Public ids of the catalogue's products, and two of its offers' (a kettle's at two stores)."""

    kettle: str
    mug: str
    lonely: str
    cheap_offer: str
    unknown_shipping_offer: str


@pytest.fixture
def site_settings(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, data_dir=tmp_path, redis_url=None)


@pytest.fixture
def app(site_settings: Settings, sessions: Sessions) -> Iterator[Flask]:
    with plugged_in():
        yield create_app(site_settings, sessions)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def shop_window(sessions: Sessions) -> ShopWindow:
    """Three products at three stores: known shipping, free from 50, and unknown shipping."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        north = store_row(session, "north", checked_at=now - timedelta(minutes=12))
        south = store_row(
            session,
            "south",
            checked_at=now - timedelta(hours=30),
            shipping=flat_shipping("4.90", free_from="50"),
        )
        wild = store_row(session, "wild", checked_at=now - timedelta(minutes=12), shipping=None)
        kettle, mug, lonely = (product_row(session, title) for title in ("Kettle", "Mug", "Lonely lamp"))
        known = {"brand": "Alfi", "category": "Home > Kettles", "mpn": "K-100"}
        offers = [
            offer_row(session, north, kettle, "20.00", title="Alfi Kettle K-100", **known),
            offer_row(session, south, kettle, "18.00", title="Kettle K-100 by Alfi, 1 l", **known),
            offer_row(session, wild, kettle, "16.50", title="ALFI K100 kettle", **known),
            offer_row(session, north, mug, "8.00", title="Mug", brand="Borosil", category="Home > Mugs"),
            offer_row(
                session, south, mug, "7.50", title="Mug, white", brand="Borosil", category="Home > Mugs"
            ),
            offer_row(session, wild, lonely, "31.00", title="Lonely lamp", availability="OutOfStock"),
        ]
        session.execute(
            insert(OfferPriceRow),
            [
                {
                    "offer_id": offer.id,
                    "recorded_at": now - timedelta(minutes=20),
                    "price": offer.price,
                    "price_currency": "EUR",
                    "price_kind": "regular",
                    "availability": offer.availability,
                }
                for offer in offers
            ],
        )
        describe_products(session, [kettle.id, mug.id, lonely.id])
        first, second = offers[:2]
        evidence = (Evidence("model", "same", 6.2, "Both name the model K-100."),)
        link = MatchLink(
            offer_id=second.id,
            other_offer_id=first.id,
            probability=0.993,
            outcome="merged",
            evidence=evidence,
        )
        keep_links(session, [link], compared=[second.id], model_version="test")
        return ShopWindow(
            kettle.public_id, mug.public_id, lonely.public_id, offers[1].public_id, offers[2].public_id
        )


@pytest.fixture(scope="module")
def fresh_world(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], AbstractContextManager[World]]]:
    """Makes a shop, its catalogue and a cart as they were before anything went wrong."""
    with good_state(settings, tmp_path_factory.mktemp("faults")) as make:
        yield make


@pytest.fixture
def world(fresh_world: Callable[[], AbstractContextManager[World]]) -> Iterator[World]:
    """A fresh copy of that, for one test to spoil."""
    with fresh_world() as world:
        yield world
