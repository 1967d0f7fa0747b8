"""Pasted lists on their way into a cart: each line is looked for, and stays until something was chosen for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.product_cards import product_card
from aggregator.catalog.search import find_identified, search_products
from aggregator.catalog.search_index import SearchIndex
from aggregator.db.models import CartRow, PastedLineRow, PastedListRow, ProductRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id, new_public_id, read_gtin
from aggregator.domain.pasted_lists import LONGEST_WORDING, MAX_QUANTITY, read_pasted_list
from aggregator.domain.products import ProductCard, SearchPage, SearchQuery
from aggregator.shopping.cart_filling import fill_cart, open_cart
from aggregator.shopping.cart_lines import CARD_COLUMNS, find_current_products
from aggregator.shopping.purchases import owned_by

LINES_A_PAGE = 20
SUGGESTIONS = 5
MOST_LISTS = 20
# Words at the end of a line (sizes, colours, remarks) are left out one by one until something is found.
_MOST_LEFT_OUT = 4

LineState = Literal["open", "added", "left_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedLine:
    """One line: as it was written, what is looked for, what was found. `is_sure`: its identifier names the first.

    `left_out_words` are those that the search had to do without, `repaired` what it looked for in their place.
    """

    id: str
    text: str
    wording: str
    quantity: int
    state: LineState
    chosen: ProductCard | None
    suggestions: tuple[ProductCard, ...] = ()
    is_sure: bool = False
    left_out_words: str = ""
    repaired: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedList:
    """One page of a list; `open_count`, `added_count`, `left_out_count` are of all its lines."""

    id: str
    created_at: datetime
    lines: tuple[PastedLine, ...]
    page: int
    pages: int
    open_count: int
    added_count: int
    left_out_count: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What a shopper decided on a line: the product (public id), None leaves it as it is."""

    product_id: str | None
    quantity: int


def paste_list(session: Session, token: str | None, text: str) -> tuple[str, str | None]:
    """Keep a pasted list; its id, and the new cookie token where the cart was just made.

    A shopper's twenty newest lists are kept. Raises InvalidInput where nothing is in it or it is too long.
    """
    lines = read_pasted_list(text)
    if not lines:
        raise InvalidInput("there is nothing in the list", place="list", remedy="write one product a line")
    cart, new_token = open_cart(session, token)
    list_id, public_id = session.execute(
        insert(PastedListRow).values(cart_id=cart.id).returning(PastedListRow.id, PastedListRow.public_id)
    ).one()
    session.execute(
        insert(PastedLineRow),
        [
            {
                "public_id": new_public_id(),
                "list_id": list_id,
                "position": position,
                "text": line.text,
                "wording": line.wording,
                "quantity": line.quantity,
            }
            for position, line in enumerate(lines)
        ],
    )
    kept = (
        select(PastedListRow.id)
        .where(PastedListRow.cart_id == cart.id)
        .order_by(PastedListRow.id.desc())
        .limit(MOST_LISTS)
    )
    session.execute(
        delete(PastedListRow).where(PastedListRow.cart_id == cart.id, PastedListRow.id.not_in(kept))
    )
    return public_id, new_token


def list_pasted_lists(session: Session, token: str | None) -> Sequence[tuple[str, datetime, int, str]]:
    """(id, when it was pasted, open lines, its first line) of this shopper's lists, newest first."""
    first = (
        select(PastedLineRow.text)
        .where(PastedLineRow.list_id == PastedListRow.id, PastedLineRow.position == 0)
        .scalar_subquery()
    )
    waiting = (
        select(func.count())
        .where(PastedLineRow.list_id == PastedListRow.id, PastedLineRow.state == "open")
        .scalar_subquery()
    )
    rows = session.execute(
        select(PastedListRow.public_id, PastedListRow.created_at, waiting, func.coalesce(first, ""))
        .join(CartRow, CartRow.id == PastedListRow.cart_id)
        .where(owned_by(token))
        .order_by(PastedListRow.id.desc())
    ).all()
    return [tuple(row) for row in rows]


def show_pasted_list(
    session: Session, token: str | None, list_id: str, *, page: int = 1, index: SearchIndex | None = None
) -> PastedList:
    """One page of a list with suggestions for what is open on it. Raises NotFound for anyone else's."""
    found = _list(session, token, list_id)
    counted = session.execute(
        select(PastedLineRow.state, func.count())
        .where(PastedLineRow.list_id == found.id)
        .group_by(PastedLineRow.state)
    ).all()
    counts: dict[str, int] = dict(counted)
    total = sum(counts.values())
    pages = max(1, -(-total // LINES_A_PAGE))
    page = min(max(page, 1), pages)
    rows = session.execute(
        select(PastedLineRow, *CARD_COLUMNS)
        .outerjoin(ProductRow, ProductRow.id == PastedLineRow.product_id)
        .where(PastedLineRow.list_id == found.id)
        .order_by(PastedLineRow.position)
        .offset((page - 1) * LINES_A_PAGE)
        .limit(LINES_A_PAGE)
    ).all()
    waiting = [row[0] for row in rows if row[0].state == "open"]
    by_gtin = _find_by_gtin(session, [gtin for line in waiting if (gtin := read_gtin(line.wording))])
    return PastedList(
        id=found.public_id,
        created_at=found.created_at,
        lines=tuple(_line(session, row, by_gtin, index) for row in rows),
        page=page,
        pages=pages,
        open_count=counts.get("open", 0),
        added_count=counts.get("added", 0),
        left_out_count=counts.get("left_out", 0),
    )


def put_into_cart(
    session: Session, token: str | None, list_id: str, choices: Mapping[str, Choice]
) -> tuple[int, tuple[str, ...]]:
    """Put the chosen products of open lines into the cart; how many lines, and texts that found no room there.

    Each line goes in once, whatever is pressed how often. Raises NotFound for anyone else's list or an unknown product
    and InvalidInput for a quantity that is none.
    """
    cart, _ = open_cart(session, token)  # locked before anything of the list, as everywhere
    found = _list(session, token, list_id)
    lines = session.scalars(
        select(PastedLineRow)
        .where(PastedLineRow.list_id == found.id, PastedLineRow.state == "open")
        .where(PastedLineRow.public_id.in_([line for line, choice in choices.items() if choice.product_id]))
        .order_by(PastedLineRow.position)
        .with_for_update()
    ).all()
    asked = {line: choice.product_id for line, choice in choices.items() if choice.product_id}
    current = find_current_products(
        session, [public_id for public_id in asked.values() if is_public_id(public_id)]
    )
    wanted: Counter[int] = Counter()
    for line in lines:
        _check_quantity(choices[line.public_id].quantity)
        if asked[line.public_id] not in current:
            raise NotFound("product", asked[line.public_id])
        line.product_id = current[asked[line.public_id]]
        line.quantity = choices[line.public_id].quantity
        wanted[line.product_id] += line.quantity
    no_room = fill_cart(session, cart, wanted)
    for line in lines:
        if line.product_id in no_room:
            line.product_id = None
        else:
            line.state = "added"
    session.flush()
    return sum(line.state == "added" for line in lines), tuple(
        line.text for line in lines if line.state == "open"
    )


def put_sure_ones_into_cart(
    session: Session, token: str | None, list_id: str, *, index: SearchIndex | None = None
) -> tuple[int, tuple[str, ...]]:
    """Put every open line into the cart whose GTIN names a product, on all pages at once."""
    found = _list(session, token, list_id)
    lines = session.execute(
        select(PastedLineRow.public_id, PastedLineRow.wording, PastedLineRow.quantity).where(
            PastedLineRow.list_id == found.id, PastedLineRow.state == "open"
        )
    ).all()
    gtins = {line.public_id: gtin for line in lines if (gtin := read_gtin(line.wording))}
    by_gtin = _find_by_gtin(session, gtins.values())
    choices: dict[str, Choice] = {}
    for line in lines:
        gtin = gtins.get(line.public_id)
        named = (by_gtin.get(gtin) or find_identified(session, gtin, index)) if gtin else None
        if named is not None:
            choices[line.public_id] = Choice(named.id, line.quantity)
    return put_into_cart(session, token, list_id, choices)


def rewrite_line(
    session: Session,
    token: str | None,
    list_id: str,
    line_id: str,
    *,
    wording: str | None = None,
    quantity: int | None = None,
    state: str | None = None,
) -> None:
    """Look for other words, want another number, or leave a line out ("left_out") and take it up again ("open").

    A line that is in the cart already is taken up again by nothing: the cart is where it is changed. Raises NotFound
    for anyone else's line and InvalidInput.
    """
    found = _list(session, token, list_id)
    values: dict[str, Any] = {}
    if wording is not None:
        wording = " ".join(wording.split())
        if not wording or len(wording) > LONGEST_WORDING:
            raise InvalidInput(f"write 1 to {LONGEST_WORDING} letters to look for", place="wording")
        values["wording"] = wording
    if quantity is not None:
        _check_quantity(quantity)
        values["quantity"] = quantity
    if state is not None:
        if state not in {"open", "left_out"}:
            raise InvalidInput(f"no state {state!r}", place="state")
        values["state"] = state
    changed = session.execute(
        update(PastedLineRow)
        .where(PastedLineRow.list_id == found.id, PastedLineRow.public_id == line_id)
        .where(PastedLineRow.state != "added")
        .values(values)
        .returning(PastedLineRow.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise NotFound("line of the list", line_id)


def forget_list(session: Session, token: str | None, list_id: str) -> None:
    """Delete a list; what went into the cart stays there. Raises NotFound for anyone else's."""
    found = _list(session, token, list_id)
    session.execute(delete(PastedListRow).where(PastedListRow.id == found.id))


def _suggest(session: Session, wording: str, index: SearchIndex | None) -> tuple[SearchPage | None, str]:
    """Products for these words, best first, and the words at the end that had to be left out to find any."""
    words = wording.split()
    for left_out in range(min(_MOST_LEFT_OUT, len(words) - 1) + 1):
        tried = words[: len(words) - left_out]
        page = search_products(session, SearchQuery(text=" ".join(tried), limit=SUGGESTIONS), index)
        if page.products:
            return page, " ".join(words[len(tried) :])
    return None, ""


def _line(
    session: Session,
    row: Row[*tuple[Any, ...]],
    by_gtin: Mapping[str, ProductCard],
    index: SearchIndex | None,
) -> PastedLine:
    kept: PastedLineRow = row[0]
    suggestions: tuple[ProductCard, ...] = ()
    left_out_words, repaired, is_sure = "", "", False
    if kept.state == "open":
        sure = by_gtin.get(read_gtin(kept.wording) or "") or find_identified(session, kept.wording, index)
        if sure is not None:
            suggestions, is_sure = (sure,), True
        else:
            page, left_out_words = _suggest(session, kept.wording, index)
            suggestions, repaired = (page.products, page.repaired or "") if page else ((), "")
    return PastedLine(
        id=kept.public_id,
        text=kept.text,
        wording=kept.wording,
        quantity=kept.quantity,
        state=kept.state,  # type: ignore[arg-type]  # the table knows the same states
        chosen=None if row.title is None else product_card(row._mapping),
        suggestions=suggestions,
        is_sure=is_sure,
        left_out_words=left_out_words,
        repaired=repaired,
    )


def _find_by_gtin(session: Session, gtins: Iterable[str]) -> dict[str, ProductCard]:
    """The products of these GTINs (14 digits); of several the one that can be had, then the most offered."""
    asked = sorted(set(gtins))
    if not asked:
        return {}
    rows = session.execute(
        select(ProductRow.gtin, *CARD_COLUMNS)
        .where(ProductRow.gtin.in_(asked), ProductRow.merged_into_id.is_(None), ProductRow.offer_count > 0)
        .order_by(ProductRow.is_available, ProductRow.offer_count, ProductRow.id.desc())
    ).all()
    return {row.gtin: product_card(row._mapping) for row in rows}


def _list(session: Session, token: str | None, list_id: str) -> Row[*tuple[Any, ...]]:
    found = None
    if is_public_id(list_id):
        found = session.execute(
            select(PastedListRow.id, PastedListRow.public_id, PastedListRow.created_at)
            .join(CartRow, CartRow.id == PastedListRow.cart_id)
            .where(owned_by(token), PastedListRow.public_id == list_id)
        ).one_or_none()
    if found is None:
        raise NotFound("list", list_id)
    return found


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidInput(
            f"{quantity} is not a quantity", place="quantity", remedy=f"use 1 to {MAX_QUANTITY}"
        )
