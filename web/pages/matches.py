"""Doubtful pairs for operators: the same or not, by key or by button; what was said, and taking it back."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.reviews import (
    find_next_review,
    get_queue_state,
    get_review,
    list_choices,
    skip_review,
)
from aggregator.catalog.verdicts import (
    get_verdicts,
    join_products,
    list_verdicts,
    part_offer,
    record_verdict,
    undo_last,
    withdraw_verdict,
)
from aggregator.domain.errors import ContradictedVerdict, InvalidInput
from aggregator.domain.matches import PairFilter, PairReview
from web import context
from web.db import current_session, roll_back
from web.operators import operators_blueprint
from web.pair_facts import pair_facts, price_gap
from web.permissions import needs
from web.title_differences import compare_titles

pages = operators_blueprint("matches", __name__, "/operations/matches")
_SHOWN = 50


@pages.get("")
@needs("operate")
def index() -> str:
    """The pair that is worth most."""
    return _page(find_next_review(current_session(), _filter()))


@pages.get("/<review_id>")
@needs("operate")
def show(review_id: str) -> str:
    """A certain pair, settled or not."""
    return _page(get_review(current_session(), review_id))


@pages.post("/<review_id>")
@needs("operate")
def decide(review_id: str) -> Response | tuple[str, int]:
    """Same, not the same, variant, or skip; then the next pair."""
    session, account_id = current_session(), _account_id()
    review = get_review(session, review_id)
    word = request.form.get("word", "")
    try:
        if word == "skip":
            skip_review(session, review_id, account_id=account_id)
        else:
            record_verdict(session, review.left.id, review.right.id, word, account_id=account_id)
    except ContradictedVerdict as refused:
        roll_back()
        return _page(review, refused=refused, word=word), 409
    return context.go_to(url_for("matches.index", **_filter_address()))


@pages.post("/undo")
@needs("operate")
def undo() -> Response:
    """Take back what this person did last, and show that pair again."""
    review_id = undo_last(current_session(), _account_id())
    if review_id is None:
        return context.go_to(url_for("matches.index", **_filter_address()))
    return context.go_to(url_for("matches.show", review_id=review_id, **_filter_address()))


@pages.get("/verdicts")
@needs("operate")
def verdicts() -> str:
    """What people said, the newest first."""
    words, mine = request.args.get("q", "").strip()[:200], "mine" in request.args
    found = list_verdicts(
        current_session(),
        account_id=_account_id() if mine else None,
        words=words,
        before=request.args.get("before"),
        limit=_SHOWN + 1,
    )
    return render_template(
        "matches/verdicts.html",
        verdicts=found[:_SHOWN],
        words=words,
        mine=mine,
        older=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
    )


@pages.post("/verdicts/<verdict_id>/withdraw")
@needs("operate")
def withdraw(verdict_id: str) -> Response:
    """Take one verdict back, whoever said it."""
    withdraw_verdict(current_session(), verdict_id, account_id=_account_id())
    default = url_for("matches.verdicts")
    return context.go_to(context.local_path(request.form.get("next"), default))


@pages.post("/products/<product_id>/part")
@needs("operate")
def part(product_id: str) -> Response | tuple[str, int]:
    """An offer on a product's page is another product."""
    try:
        part_offer(current_session(), product_id, request.form.get("offer", ""), account_id=_account_id())
    except ContradictedVerdict as refused:
        return _refused_correction(product_id, refused)
    return _corrected(product_id)


@pages.post("/products/<product_id>/join")
@needs("operate")
def join(product_id: str) -> Response | tuple[str, int]:
    """A product's page and another one are the same product."""
    try:
        join_products(
            current_session(),
            product_id,
            _product_of(request.form.get("other", "")),
            account_id=_account_id(),
        )
    except ContradictedVerdict as refused:
        return _refused_correction(product_id, refused)
    return _corrected(product_id)


def _corrected(product_id: str) -> Response:
    flash(_("Noted. The products are put in order within seconds; their addresses stay."), "match")
    return context.go_to(url_for("products.show", key=product_id))


def _refused_correction(product_id: str, refused: ContradictedVerdict) -> tuple[str, int]:
    roll_back()
    chain = get_verdicts(current_session(), refused.chain)
    back = url_for("products.show", key=product_id)
    return render_template("matches/refused.html", chain=chain, back=back), 409


def _product_of(address: str) -> str:
    """The id in a product's address, or the id itself."""
    path = urlsplit(address.strip()).path
    found = re.search(r"(?:^|/products/)([A-Za-z0-9]+)(?:-[^/]*)?$", path)
    if found is None:
        raise InvalidInput(
            _("this is no product's address"),
            place=_("Same product as"),
            remedy=_("paste the other page's address"),
        )
    return found[1]


def _page(review: PairReview | None, *, refused: ContradictedVerdict | None = None, word: str = "") -> str:
    session, wanted = current_session(), _filter()
    stores, brands = list_choices(session)
    titles = compare_titles(review.left.title, review.right.title) if review else None
    said = list_verdicts(session, account_id=_account_id(), with_withdrawn=False, limit=1)
    return render_template(
        "matches/show.html",
        review=review,
        titles=titles,
        facts=pair_facts(review) if review else [],
        gap=price_gap(review) if review else None,
        state=get_queue_state(session, wanted, _account_id()),
        chain=get_verdicts(session, refused.chain) if refused else (),
        word=word,
        said=said[0] if said else None,
        wanted=wanted,
        filter_address=_filter_address(),
        stores=stores,
        brands=brands,
    )


def _account_id() -> int:
    account = context.current_account()
    assert account is not None, "only operators come here"
    return account.account_id


def _filter() -> PairFilter:
    given = request.values
    return PairFilter(
        store=given.get("store", "").strip()[:100],
        brand=given.get("brand", "").strip()[:200],
        text=given.get("q", "").strip()[:200],
    )


def _filter_address() -> dict[str, Any]:
    """The filter as parameters of an address."""
    wanted = _filter()
    given = {"store": wanted.store, "brand": wanted.brand, "q": wanted.text}
    return {name: value for name, value in given.items() if value}
