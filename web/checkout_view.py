"""What the hand-over page says of a look at the prices: what is as planned, what changed, what nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.domain.checkouts import Checkout, HandOffStep
from aggregator.domain.live_checks import CheckedOffer, LiveCheck
from aggregator.domain.money import Money
from aggregator.domain.purchases import OPEN_STATES
from aggregator.domain.stores import HandOffLine
from aggregator.shopping.live_checks import KEPT
from web.presenters import Words, money


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLine:
    """A line whose offer is no more as planned; `now` is None where no price is told, `said` puts it into words."""

    step_id: str
    store_name: str
    title: str
    url: str
    quantity: int
    before: Money
    now: Money | None
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedStore:
    """A store of whose `all` articles so many could not be asked for, and why."""

    id: str
    name: str
    problem: str
    missing: int
    all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """A look at a checkout's prices. `difference` is what the same articles cost more (or less) now, where known.

    `is_current`: it was not long ago; of an older one, or where there was none, nothing is said but that.
    """

    is_current: bool
    asked_at: datetime
    is_open: bool
    done: int
    all: int
    changed: tuple[CheckedLine, ...]
    doubtful: tuple[CheckedLine, ...]
    unverified: tuple[UnverifiedStore, ...]
    verdict: str
    difference: Money | None

    @property
    def is_as_planned(self) -> bool:
        """Whether every store confirmed every price."""
        return self.is_current and not (self.is_open or self.changed or self.doubtful or self.unverified)


def current_check(checkout: Checkout) -> LiveCheck | None:
    """The latest look at a checkout's prices, as long as plans take what it found."""
    check = checkout.check
    return check if check is not None and datetime.now(UTC) - check.created_at < KEPT else None


def check_view(checkout: Checkout) -> CheckView | None:
    """The sentences of a checkout's latest look at its prices; None where nothing is left to look at."""
    steps = [step for step in checkout.steps if step.state in OPEN_STATES]
    if not steps:
        return None
    check = current_check(checkout)
    if check is None:
        return CheckView(
            is_current=False,
            asked_at=checkout.check.created_at if checkout.check else checkout.created_at,
            is_open=False,
            done=0,
            all=0,
            changed=(),
            doubtful=(),
            unverified=(),
            verdict=str(_("Prices may have changed since they were looked at")),
            difference=None,
        )
    found = [
        (step, line, offer)
        for step in steps
        for line, offer_id in zip(step.lines, step.offer_ids, strict=True)
        if (offer := check.offers.get(offer_id)) is not None
    ]
    changed = tuple(_line(*one) for one in found if one[2].state in {"changed", "sold_out"})
    doubtful = tuple(_line(*one) for one in found if one[2].state == "doubtful")
    unverified = _unverified((step, offer) for step, _line_, offer in found)
    return CheckView(
        is_current=True,
        asked_at=min(
            (offer.checked_at for _s, _l, offer in found if offer.checked_at), default=check.created_at
        ),
        is_open=check.is_open,
        done=sum(offer.state != "waiting" for _step, _line_, offer in found),
        all=len(found),
        changed=changed,
        doubtful=doubtful,
        unverified=unverified,
        verdict=_verdict(check, changed, doubtful, unverified),
        difference=_difference(offer for _step, _line_, offer in found),
    )


def step_words(step: HandOffStep, check: LiveCheck | None) -> Words | None:
    """What is known of a store's prices just now; None where nobody looked."""
    states = {
        check.offers[offer_id].state
        for offer_id in step.offer_ids
        if check is not None and offer_id in check.offers
    }
    if not states or step.state not in OPEN_STATES:
        return None
    if "waiting" in states:
        return Words(_("Asking for prices"), "quiet")
    if states & {"changed", "sold_out"}:
        return Words(_("Changed since planned"), "warn")
    if "doubtful" in states:
        return Words(_("A price is in doubt"), "warn")
    if "unverified" in states:
        return Words(_("Not verified"), "warn")
    return Words(_("Prices confirmed"), "good")


def _line(step: HandOffStep, line: HandOffLine, offer: CheckedOffer) -> CheckedLine:
    return CheckedLine(
        step_id=step.id,
        store_name=step.store_name,
        title=line.title,
        url=line.url,
        quantity=offer.quantity,
        before=offer.before,
        now=None if offer.state == "sold_out" else offer.now,
        said=_said(offer),
    )


def _said(offer: CheckedOffer) -> str:
    if offer.state == "sold_out":
        is_gone = offer.availability is None
        return str(_("No longer sold there") if is_gone else _("Sold out"))
    if offer.stock is not None and offer.stock < offer.quantity:
        if not offer.stock:
            return str(_("None left"))
        return str(_("Only %(left)d left, you want %(wanted)d", left=offer.stock, wanted=offer.quantity))
    if offer.now is None or offer.now.currency != offer.before.currency:
        return str(_("Another currency"))
    if offer.now < offer.before:
        return str(_("%(amount)s less each", amount=money(offer.before - offer.now)))
    return str(_("%(amount)s more each", amount=money(offer.now - offer.before)))


def _unverified(found: Iterable[tuple[HandOffStep, CheckedOffer]]) -> tuple[UnverifiedStore, ...]:
    by_step: dict[str, list[tuple[HandOffStep, CheckedOffer]]] = {}
    for step, offer in found:
        by_step.setdefault(step.id, []).append((step, offer))
    stores = []
    for group in by_step.values():
        step = group[0][0]
        missing = [offer for _step, offer in group if offer.state == "unverified"]
        if missing:
            problem = _problem_words(missing[0].problem or "")
            stores.append(
                UnverifiedStore(
                    id=step.store_id,
                    name=step.store_name,
                    problem=problem,
                    missing=len(missing),
                    all=len(group),
                )
            )
    return tuple(stores)


def _problem_words(problem: str) -> str:
    """Why a store could not be asked, without what errors quote: addresses, keys, the words of programs."""
    if status := re.fullmatch(r"(?:answered HTTP|asks for patience \(HTTP) (\d{3})\)?", problem):
        is_busy = status[1] in {"429", "430", "503"}
        words = _("it is too busy") if is_busy else _("it answered with an error, %(code)s", code=status[1])
    elif "robots.txt" in problem:
        words = _("it does not let programs look")
    elif "left alone" in problem or "did not answer" in problem or "cannot be reached" in problem:
        words = _("it did not answer")
    elif "not read at present" in problem:
        words = _("it is not read at present")
    else:
        words = _("its answer could not be read")
    return str(words)


def _verdict(
    check: LiveCheck,
    changed: tuple[CheckedLine, ...],
    doubtful: tuple[CheckedLine, ...],
    unverified: tuple[UnverifiedStore, ...],
) -> str:
    if check.is_open:
        return str(_("Asking the stores for their prices now"))
    if changed:
        count = len(changed)
        return str(
            ngettext(
                "%(num)d article changed since it was planned",
                "%(num)d articles changed since they were planned",
                count,
            )
        )
    if doubtful:
        return str(_("A price that a store shows now is in doubt"))
    if unverified:
        return str(_("Some prices could not be verified"))
    return str(_("Every price and stock is as planned"))


def _difference(found: Iterable[CheckedOffer]) -> Money | None:
    """What the articles still sold cost more now, in the one currency of all of them."""
    moved = [
        (offer.now - offer.before) * offer.quantity
        for offer in found
        if offer.state == "changed" and offer.now is not None and offer.now.currency == offer.before.currency
    ]
    if not moved or len({amount.currency for amount in moved}) > 1:
        return None
    total = sum(moved, Money(Decimal(0), moved[0].currency))
    return total if total.amount else None
