"""Store settings: saving, exporting, importing, and removing a store with all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.catalog.runs import open_run
from aggregator.catalog.store_removal import (
    ask_for_removal,
    count_belongings,
    removal_is_due,
    remove_step,
)
from aggregator.catalog.store_settings import (
    export_settings,
    get_store_settings,
    import_stores,
    list_store_settings,
    read_export,
    save_store_settings,
)
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import (
    AuditEntryRow,
    CartLineRow,
    CartRow,
    OfferPriceRow,
    OfferRow,
    ProductRow,
    StoreRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.schedules import Schedule
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.store_settings import StoreSettings
from aggregator.domain.vocabulary import TaxBasis
from tests.integration.conftest import ShopWindow

FLAT = ShippingRule.flat(Decimal("4.90"), free_from=Decimal(50))


@pytest.fixture
def settings_of_shop(session: Session) -> StoreSettings:
    register_store(
        session,
        NewStore(
            url="https://shop.example/",
            platform="shopify",
            name="Shop",
            slug="shop",
            secret_options={"storefront_token": "sealed-text"},
        ),
    )
    return get_store_settings(session, "shop")


def changed(settings: StoreSettings) -> StoreSettings:
    return replace(
        settings,
        name="The Shop",
        country="DE",
        currency="EUR",
        tax_basis=TaxBasis.INCLUDED,
        schedule=Schedule(cron="15 4 * * *", timezone="Europe/Berlin", jitter=300),
        shipping=FLAT,
        shipping_by_country={"AT": ShippingRule.flat(Decimal("9.90"))},
        options={"country": "DE", "crawl_delay": "2.5", "daily_requests": "5000"},
    )


def test_saved_settings_are_read_again_and_stand_in_the_audit_log(
    session: Session, settings_of_shop: StoreSettings
) -> None:
    saved = save_store_settings(
        session, changed(settings_of_shop), sealed_secrets={"storefront_token": "sealed-anew"}
    )
    assert saved == get_store_settings(session, "shop") == changed(settings_of_shop)
    entry = session.scalars(
        select(AuditEntryRow).where(AuditEntryRow.action == "store_settings_changed")
    ).one()
    changes = entry.detail["changes"]
    assert changes["name"] == {"from": "Shop", "to": "The Shop"}
    assert changes["options.crawl_delay"] == {"from": None, "to": "2.5"}
    assert changes["secret storefront_token"] == {"from": "set", "to": "set anew"}
    assert "sealed" not in json.dumps(entry.detail)
    assert "sealed" not in json.dumps(export_settings([saved]))


def test_two_people_who_change_settings_at_once_do_not_undo_each_other(
    session: Session, settings_of_shop: StoreSettings
) -> None:
    seen = settings_of_shop.fingerprint
    save_store_settings(session, replace(settings_of_shop, name="First"), seen=seen)
    with pytest.raises(Conflict, match="look at them again"):
        save_store_settings(session, replace(settings_of_shop, name="Second"), seen=seen)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"crawl_delay": "fast"}, "crawl_delay"),
        ({"crawl_delay": "0"}, "crawl_delay"),
        ({"concurrency": "2.5"}, "concurrency"),
        ({"daily_requests": "NaN"}, "daily_requests"),
        ({"max_age_hours": "99999"}, "max_age_hours"),
        ({"checkout_link_template": "https://shop.example/cart?sku={sku}"}, "checkout_link_template"),
        ({"nonsense": "1"}, "options"),
    ],
)
def test_an_option_out_of_range_is_refused_where_it_stands(
    session: Session, settings_of_shop: StoreSettings, options: dict[str, str], place: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_store_settings(session, replace(settings_of_shop, options=options))
    assert refused.value.place == place


def test_an_export_imported_elsewhere_makes_the_same_stores(
    session: Session, settings_of_shop: StoreSettings
) -> None:
    save_store_settings(session, changed(settings_of_shop))
    exported = json.loads(json.dumps(export_settings(list_store_settings(session))))
    assert [found.outcome for found in import_stores(session, read_export(exported))] == ["unchanged"]
    session.delete(session.scalars(select(StoreRow)).one())
    session.flush()
    (found,) = import_stores(session, read_export(exported))
    assert (found.outcome, found.secrets_missing) == ("added", ("storefront_token",))
    assert export_settings(list_store_settings(session)) == exported
    store = session.scalars(select(StoreRow)).one()
    # It waits for its schedule: nobody wants an import to crawl everything at once.
    assert store.next_crawl_at is not None
    exported["stores"][0]["name"] = "Renamed"
    assert [found.outcome for found in import_stores(session, read_export(exported))] == ["changed"]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ({"slug": "No Slug"}, "slug"),
        ({"schedule": {"cron": "nonsense"}}, "cron"),
        ({"currency": "BTC"}, "currency"),
        ({"country": "Germany"}, "country"),
        ({"shipping": {"tiers": []}}, "shipping"),
        ({"shipping_by_country": {"Austria": {"tiers": []}}}, "country"),
        ({"options": {"country": 7}}, "options.country"),
        ({"is_active": "yes"}, "is_active"),
        ({"secret_options": {}}, "secret_options"),
        ({"name": ""}, "name"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_place(
    session: Session, settings_of_shop: StoreSettings, fault: dict[str, Any], place: str
) -> None:
    exported = export_settings([settings_of_shop])
    exported["stores"][0] |= fault
    with pytest.raises(InvalidInput) as refused:
        read_export(exported)
    assert refused.value.place == f"stores[0].{place}"


@pytest.mark.parametrize(
    "document", [None, [], {}, {"click2cart_stores": 2, "stores": []}, {"click2cart_stores": 1}]
)
def test_what_is_no_export_is_refused(document: object) -> None:
    with pytest.raises(InvalidInput):
        read_export(document)


def test_an_import_does_not_take_another_sites_store_over(
    session: Session, settings_of_shop: StoreSettings
) -> None:
    with pytest.raises(InvalidInput, match=r"is shopify at https://shop\.example/ here"):
        import_stores(session, [replace(settings_of_shop, url="https://elsewhere.example/")])
    with pytest.raises(InvalidInput, match="no such store platform"):
        import_stores(session, [replace(settings_of_shop, slug="other", platform="nonsense")])
    with pytest.raises(InvalidInput):
        import_stores(session, [replace(settings_of_shop, slug="other", url="ftp://x.example")])


def test_a_store_is_removed_with_its_offers_and_products_stay_where_others_sell_them(
    sessions: Sessions, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        cheap = session.scalars(select(OfferRow).where(OfferRow.public_id == shop_window.cheap_offer)).one()
        assert cheap.product_id is not None
        session.add(cart := CartRow(token_hash=b"x", updated_at=func.now()))
        session.flush()
        session.add(
            CartLineRow(cart_id=cart.id, product_id=cheap.product_id, quantity=1, pinned_offer_id=cheap.id)
        )
        ticket = open_run(session, "south", trigger="operator", worker="test")
        assert ticket is not None
        belongings = count_belongings(session, "south")
        assert (belongings.offers, belongings.prices, belongings.runs) == (2, 2, 1)
        with pytest.raises(InvalidInput, match="type south to confirm"):
            ask_for_removal(session, "south", confirmed_slug="south-")
        ask_for_removal(session, "south", confirmed_slug=" south ")
        with pytest.raises(Conflict):
            ask_for_removal(session, "south", confirmed_slug="south")
        with pytest.raises(Conflict, match="is being removed"):
            open_run(session, "south", trigger="command", worker="test")
    with sessions.begin() as session:
        assert removal_is_due(session)
        assert not removal_is_due(session)
    steps = 0
    while True:
        with sessions.begin() as session:
            if not remove_step(session, offers_a_step=1):
                break
        steps += 1
    assert steps == 4
    with sessions.begin() as session:
        with pytest.raises(NotFound):
            get_store_settings(session, "south")
        assert session.scalar(select(func.count()).select_from(OfferRow)) == 4
        assert session.scalar(select(func.count()).select_from(OfferPriceRow)) == 4
        kettle = session.scalars(select(ProductRow).where(ProductRow.public_id == shop_window.kettle)).one()
        assert (kettle.offer_count, kettle.store_count, kettle.lowest_price) == (2, 2, Decimal("16.50"))
        assert session.scalars(select(CartLineRow)).one().pinned_offer_id is None
        assert "store:south" in session.scalars(select(AuditEntryRow.subject)).all()
