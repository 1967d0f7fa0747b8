"""A site on which every page has something to show, and where each of its pages is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.accounts.sign_in import invite
from aggregator.catalog.alarms import raise_alarm
from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.match_links import MatchLink, keep_links
from aggregator.catalog.probes import begin_probe, fail_probe, finish_probe, request_probe
from aggregator.catalog.runs import open_run, write_log
from aggregator.catalog.verdicts import record_verdict
from aggregator.db.models import (
    AlertRow,
    LiveCheckOfferRow,
    LiveCheckRow,
    MatchReviewRow,
    NoticeRow,
    OfferRow,
    QuarantinedOfferRow,
    StoreRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.products import Evidence
from aggregator.domain.runs import CrawlCounts, LogLine
from aggregator.settings import Settings
from aggregator.shopping.alert_words import stop_token
from tests.integration.conftest import Browser
from tests.integration.shop_rows import store_row

# What answers no browser's visitor: programs, files, and parts that a script fetches into a page.
NO_PAGES = re.compile(
    r"^(static|health|metrics|pictures|api_(?!docs)\w+|api|feeds|site_map)\b"
    r"|\.(export\w*|feed|prices|suggestions|live|log|next_times|picture|summary_pdf|manifest|service_worker)$"
)
# Pages that only a command of the demo opens, and addresses that lead on without one of their own.
NOT_OPEN = {"inbox.show", "checkouts.start", "checkouts.go_on", "matches.index"}

Say = Callable[[str], str]


def as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Furnished:
    """Addresses by what may be seen there; the second kind shows only to the account that was signed in."""

    shop: tuple[str, ...]
    own: tuple[str, ...]
    console: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.shop, *self.own, *self.console)


def furnish(
    app: Flask, settings: Settings, sessions: Sessions, products: Sequence[str], say: Say
) -> Furnished:
    """Live in the shop and run it, as ada@example.org, an admin; two products at least must be on sale.

    `say` makes the words that stores are made to say, and people where they type.
    """
    browser = Browser(app)
    browser.sign_in(sessions, "admin")
    console = _run_the_console(browser, sessions, say)
    own = _live_in_the_shop(browser, settings, sessions, products, say)
    plain = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.arguments and not NO_PAGES.search(rule.endpoint)
    ]
    console += [path for path in plain if path.startswith("/operations")]
    own += [path for path in plain if re.match("/(account|alerts|purchases|wishlist|lists|cart)", path)]
    shop = [path for path in plain if path not in {*console, *own}]
    shop += [f"/products/{product}" for product in products]
    shop += [
        "/search?q=kettle", "/search?q=nothingatall", "/search?sort=total&available=1", "/categories/appliances",
        "/categories/laptops", f"/compare?ids={','.join(products[:4])}", "/stores/reader", "/stores/failing",
        "/nowhere", "/cart/lines", "/login/link/none", "/activate/none", "/recover/none",
    ]  # fmt: skip
    return Furnished(tuple(sorted(shop)), tuple(sorted(own)), tuple(sorted(console)))


def unseen_endpoints(app: Flask, addresses: Sequence[str]) -> set[str]:
    """Pages that none of the addresses opens."""
    place = app.url_map.bind("localhost")
    pages = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not NO_PAGES.search(rule.endpoint)
    }
    paths = {address.partition("?")[0] for address in addresses} - {"/nowhere", "/cart/lines"}
    return pages - NOT_OPEN - {place.match(path, method="GET")[0] for path in paths}


def _run_the_console(browser: Browser, sessions: Sessions, say: Say) -> list[str]:
    """Stores that fare well, badly and not at all, with what a person has to decide."""
    with sessions.begin() as session:
        now = datetime.now(UTC)
        store_row(session, "reader", name=say("Reader"), checked_at=now, platform="shopify")
        store_row(
            session, "failing", name=say("Failing"), checked_at=now - timedelta(days=4), platform="generic"
        )
        store_row(session, "idle", name=say("Idle"), checked_at=None, is_active=False, platform="unheard-of")
        runs = [_read(session, "reader", "5.00", say), _read(session, "reader", "500.00", say)]
        failed = open_run(session, "failing", trigger="schedule", worker="test")
        assert failed is not None
        line = LogLine(at=now, level="error", message=say("The store answers with an error."))
        write_log(session, failed.run_id, [line])
        report = release_run(session, failed, is_complete=False, problem=say("HTTP 503"))
        runs.append(report.run)
        reader = session.scalars(select(StoreRow).where(StoreRow.slug == "reader")).one()
        raise_alarm(session, "run_held", subject="reader", message=say("A run waits."), store_id=reader.id)
        quarantined = session.scalars(select(QuarantinedOfferRow.public_id)).first()
        reader.reading_rules = {"price": say("json_ld")}
        probes = [
            request_probe(session, f"https://{name}.example/{quote(say(''))}")
            for name in ("found", "unreadable", "slow")
        ]
        for probe in probes[:2]:
            begin_probe(session, probe)
        finish_probe(session, probes[0], _probe_result(say))
        fail_probe(session, probes[1], say("It does not answer."))
        review = _doubt(session, say)
    for path in ("settings", "schedule"):
        browser.page(f"/operations/stores/reader/{path}")
    return [
        *(f"/operations/runs/{run}" for run in runs),
        *(f"/operations/stores/{slug}" for slug in ("reader", "failing", "idle")),
        *(f"/operations/stores/{slug}/settings" for slug in ("reader", "idle")),
        "/operations/stores/reader/schedule", "/operations/stores/reader/rules", "/operations/stores/reader/remove",
        f"/operations/quarantine/{quarantined}", f"/operations/matches/{review}",
        *(f"/operations/add/{probe}" for probe in probes),
        "/operations/quarantine?store=reader", "/operations/runs?state=held", "/operations/categories?show=other",
    ]  # fmt: skip


def _read(session: Session, slug: str, price: str, say: Say) -> str:
    """One run of thirty kettles, and of one whose page contradicts itself; its id."""
    ticket = open_run(session, slug, trigger="operator", worker="test")
    assert ticket is not None
    offers = [
        RawOffer(
            external_id=str(number), url=f"https://{slug}.example/{number}", title=say(f"Alfi kettle no. {number}"),
            price=price, price_currency="EUR", brand=say("Alfi"), category=say("Home > Kettles"),
            availability="InStock", seller=say("Kettle corner"), image_url="https://reader.example/kettle.png",
        )
        for number in range(30)
    ]  # fmt: skip
    candidates = [
        {"field": "price", "value": say(price), "source": source, "where": say(source)}
        for price, source in (("19.99", "json_ld"), ("29.99", "visible_text"))
    ]
    torn = InvalidOffer(
        external_id=say("torn"), title=say("Torn kettle"), url=f"https://{slug}.example/torn", reason="ambiguous",
        detail=say("two prices"), raw={"candidates": candidates},
    )  # fmt: skip
    stage_offers(session, ticket, [*offers, torn], CrawlCounts(requests=3, bytes_received=9_000))
    return release_run(session, ticket, is_complete=True).run


def _probe_result(say: Say) -> dict[str, object]:
    sample = {
        "external_id": "1", "name": say("Kettle"), "brand": say("Alfi"), "mpn": say("K-100"), "gtin": None,
        "price": "24.95", "currency": "EUR", "availability": "InStock", "url": "javascript:alert(1)",
        "item_group_id": None,
    }  # fmt: skip
    return {
        "platform": "merchant_feed", "confidence": 0.97, "signals": [{"what": say("a feed"), "where": say("here")}],
        "currency": "EUR", "country": None, "robots": "allowed", "hand_off": "product_link",
        "sources": [{"kind": "feed", "url": "https://found.example/feed.xml"}], "requests": 3, "sample": [sample],
        "url": "https://found.example", "name": say("Found"), "technologies": [say("jQuery")],
        "options": {"feed_url": "https://found.example/feed.xml"}, "problem": None,
        "schedule": {"interval_seconds": 43_200, "requests_per_run": 1, "why": say("a reading takes one request")},
    }  # fmt: skip


def _doubt(session: Session, say: Say) -> str:
    """A pair that waits for a person, and one that was decided; the id of the first."""
    offers = session.execute(
        select(OfferRow.id, OfferRow.public_id)
        .where(OfferRow.product_id.is_not(None), OfferRow.gone_at.is_(None))
        .order_by(OfferRow.id)
        .limit(4)
    ).all()
    evidence = (
        Evidence("brand", "equal", 1.5, say("The same brand.")),
        Evidence("number", "conflict", -1.0, say("Numbers differ.")),
    )
    (one, _), (other, _) = offers[0], offers[-1]
    link = MatchLink(
        offer_id=other, other_offer_id=one, probability=0.7, outcome="doubtful", evidence=evidence
    )
    keep_links(session, [link], compared=[other], model_version="test")
    record_verdict(session, offers[0].public_id, offers[1].public_id, "different", account_id=None)
    pair = (MatchReviewRow.left_offer_id == one, MatchReviewRow.right_offer_id == other)
    return session.scalars(select(MatchReviewRow.public_id).where(*pair)).one()


def _live_in_the_shop(
    browser: Browser, settings: Settings, sessions: Sessions, products: Sequence[str], say: Say
) -> list[str]:
    """An account with wishes, alerts, addresses, a cart, a hand-over and purchases."""

    def send(address: str, **form: object) -> str:
        answer = browser.post(address, **form)
        assert answer.status_code in (302, 303), (address, answer.status_code)
        return str(answer.headers["Location"])

    send("/account/name", name=say("Ada"))
    address = {
        "name": say("Ada Byron"), "street_address": say("St James's Square 12"), "postal_code": "10115",
        "address_locality": "Berlin", "address_country": "DE",
    }  # fmt: skip
    send("/account/addresses", **address)
    kept = re.search(r'href="(/account/addresses/\w+)"', browser.page("/account/addresses"))
    assert kept
    for product in products:
        send("/wishlist/items", product=product)
    wishes = send("/wishlist", name=say("K"))
    send("/alerts", product=products[0], rule="below", amount="1.00")
    send(f"{wishes}/share")
    shared_wishes = re.search(r"/wishlist/shared/[\w-]+", browser.page(wishes))
    send("/cart/lines", product=products[0], quantity="2")
    bought = send("/checkout").partition("?")[0]
    parts = sorted(set(re.findall(r'action="(/checkout/\w+/steps/\w+)"', browser.page(bought))))
    assert parts
    send(parts[0], state="bought")
    purchase = bought.replace("/checkout/", "/purchases/")
    part = re.search(r'action="(/purchases/\w+/parts/\w+)"', browser.page(purchase))
    assert part
    send(part[1], state="bought", paid="13.10", currency="EUR", order_number=say("A-17"), note=say("gift"))
    for product in products[:4]:
        send("/cart/lines", product=product)
    open_hand_over = send("/checkout").partition("?")[0]
    checked_hand_over = send("/checkout").partition("?")[0]
    line = re.search(r"/cart/lines/\w+/offers", browser.page("/cart"))
    send("/cart/shared", name=say("K"), days="7")
    shared = re.search(r"/shared/[\w-]{43}", browser.page("/cart/shared"))
    pasted = send("/lists", list=f"2 x {say('kettle')}\n{say('something else')}\nkettle")
    assert shared
    assert shared_wishes
    assert line
    with sessions.begin() as session:
        checks = session.scalars(select(LiveCheckRow.id).order_by(LiveCheckRow.id.desc())).all()
        session.execute(update(LiveCheckRow).where(LiveCheckRow.id == checks[0]).values(state="done"))
        session.execute(
            update(LiveCheckOfferRow)
            .where(LiveCheckOfferRow.check_id == checks[0])
            .values(
                state="changed", checked_at=datetime.now(UTC), price_currency="EUR",
                price=LiveCheckOfferRow.price_before + Decimal(3),
            )
        )  # fmt: skip
        alert = session.scalars(select(AlertRow.public_id)).one()
        other = invite(session, "grace@example.org", "operator")
        stop = stop_token(settings, alert)
    return [
        kept[1], wishes.partition("#")[0], "/wishlist/default", shared_wishes[0], bought, open_hand_over,
        checked_hand_over, purchase, line[0], shared[0], "/shared/none", pasted.partition("#")[0],
        f"/alerts/stop/{stop}", "/alerts/stop/none", f"/login/link/{other}", *_mailed(browser, sessions),
    ]  # fmt: skip


def _mailed(browser: Browser, sessions: Sessions) -> list[str]:
    """What letters lead to."""
    guest = Browser(browser.client.application)
    guest.post("/register", email="mary@example.org", password="a kettle on the moon", name="Mary")
    guest.post("/recover", email="ada@example.org")
    with sessions() as session:
        letters = " ".join(str(row) for row in session.scalars(select(NoticeRow.content)).all())
    found = re.findall(r"/(?:activate|recover|account/mail)/[\w-]+", letters)
    return [*dict.fromkeys(found), "/account/mail/none", "/mail-sent/register", "/mail-sent/recover"]
