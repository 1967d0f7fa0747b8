"""Reading tables of saved answers, price texts and product numbers: what `click2cart extract` does in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from aggregator.domain.errors import InvalidInput, StoreError
from aggregator.domain.identifiers import read_product_number, shown_gtin
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.normalization.prices import (
    UnreadablePrice,
    read_amount,
    read_price_words,
)
from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.saved_answers import read_saved_answer

# What keeps an offer out of the catalogue though its price was read; it stays among the offers here.
_STAYS = frozenset({"no_currency", "no_price", "unknown_currency"})
# A saved answer may leave out what the live store's would tell.
_NOWHERE, _NUMBERLESS = "https://store.invalid/", "?"


def read_api_manifest(manifest: Path, output: Path) -> None:
    """A prediction for each saved answer of the manifest. Raises InvalidInput for a manifest that is none."""
    _rewrite(manifest, output, lambda line: _read_answer(line, manifest.parent))


def read_prices(path: Path, output: Path) -> None:
    """Each line with the amount and currency that its text and hint tell. Raises InvalidInput."""
    _rewrite(path, output, _read_price_line)


def read_gtins(path: Path, output: Path) -> None:
    """Each line with the kind of product number that its text is, and its digits. Raises InvalidInput."""
    _rewrite(path, output, _read_gtin_line)


def _rewrite(path: Path, output: Path, read: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    try:
        with (
            path.open(encoding="utf-8") as lines,
            output.open("w", encoding="utf-8", errors="replace") as written,
        ):
            for line in _objects(lines, str(path)):
                written.write(json.dumps(read(line), ensure_ascii=False) + "\n")
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"cannot be read or written ({error})", place=str(path)) from error


def _objects(lines: TextIO | Iterable[str], place: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"is no JSON ({error})", place=f"{place}:{number}") from error
        if not isinstance(value, dict):
            raise InvalidInput(
                "is no JSON object", place=f"{place}:{number}", remedy="write one object a line"
            )
        yield value


def _read_answer(line: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    name, platform = line.get("file"), line.get("platform")
    hint = line.get("shop_currency_hint")
    currency = hint if isinstance(hint, str) else None
    offers: list[dict[str, Any]] = []
    quarantined: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"file": name, "offers": offers, "quarantined": quarantined}
    try:
        if not isinstance(name, str) or not isinstance(platform, str):
            raise InvalidInput("has no file or no platform", remedy='{"file": "…", "platform": "shopify"}')
        groups: dict[str, dict[str, Any]] = {}
        for raw in read_saved_answer(platform, folder / name, currency=currency):
            row = _offer_row(raw, currency)
            if "reason" in row:
                quarantined.append(row)
                continue
            offers.append(row)
            _join_group(groups, raw, row)
        offers.extend(groups.values())
    except (StoreError, InvalidInput, OSError) as error:
        answer["error"] = str(error)
    return answer


def _offer_row(raw: RawOffer | InvalidOffer, currency: str | None) -> dict[str, Any]:
    if isinstance(raw, InvalidOffer):
        return {"sku": raw.external_id, "name": raw.title, "reason": raw.reason}
    complete = replace(raw, url=raw.url or _NOWHERE, external_id=raw.external_id or _NUMBERLESS)
    read = normalize_offer(complete, default_currency=currency)
    row: dict[str, Any] = {
        "external_id": raw.external_id or None,
        "name": raw.title,
        "sku": raw.sku or raw.external_id or None,
        "url": raw.url or None,
        "item_group_id": raw.item_group_id,
        "variant_attributes": dict(raw.variant_attributes),
    }
    if not isinstance(read, InvalidOffer):
        return {
            **row,
            "name": read.title,
            "price": read.price.plain(),
            "price_currency": read.price.currency,
            "list_price": read.list_price.plain() if read.list_price else None,
            "price_kind": read.price_kind.value,
            "availability": read.availability.value if read.availability else None,
            "item_condition": read.item_condition.value,
            "brand": read.brand,
            "gtin": shown_gtin(read.gtin) if read.gtin else None,
            "mpn": read.mpn,
            "category": read.category,
            "image": read.image_url,
            "problem": _problem(raw),
        }
    amount = _amount(raw.price) if read.reason in _STAYS else None
    if amount is None:
        return {"sku": row["sku"], "name": row["name"], "reason": read.reason, "detail": read.detail}
    # A stand-in lets everything but the price be read in the usual way.
    known = _offer_row(replace(raw, price=Decimal(1), price_currency="EUR", list_price=None), "EUR")
    told = raw.price_currency or currency
    known_currency = told.upper() if told and read.reason == "no_price" else None
    return {**known, "price": format(amount, "f"), "price_currency": known_currency, "problem": read.reason}


def _problem(raw: RawOffer) -> str | None:
    """What keeps an offer that could be read out of the catalogue."""
    if not raw.external_id or not raw.url:
        return "no_id" if not raw.external_id else "no_link"
    told = (raw.raw or {}).get("problem")
    return told if isinstance(told, str) else None


def _amount(value: Decimal | str | None) -> Decimal | None:
    try:
        amount = read_amount(value)[0] if value is not None else None
    except (UnreadablePrice, ArithmeticError):
        return None
    return amount if amount is not None and amount.is_finite() and amount >= 0 else None


def _join_group(
    groups: dict[str, dict[str, Any]], raw: RawOffer | InvalidOffer, row: Mapping[str, Any]
) -> None:
    """Keep what a listing shows for a product of several variants: its own number, from the lowest price."""
    told = raw.raw.get("group") if isinstance(raw, RawOffer) and raw.raw else None
    if not isinstance(told, dict) or not row["item_group_id"]:
        return
    group = groups.setdefault(
        str(row["item_group_id"]),
        {
            **row,
            "external_id": row["item_group_id"],
            "name": told.get("name") or row["name"],
            "sku": told.get("sku") or row["item_group_id"],
            "variant_attributes": {},
            "price_kind": "from",
            "gtin": None,
            "is_group": True,
        },
    )
    if group["price_currency"] == row["price_currency"] and Decimal(row["price"]) < Decimal(group["price"]):
        group["price"], group["list_price"] = row["price"], None
    if row["availability"] == "InStock":
        group["availability"] = "InStock"


def _read_price_line(line: Mapping[str, Any]) -> dict[str, Any]:
    text, hint = line.get("text"), line.get("hint")
    read = read_price_words(text if isinstance(text, str) else None, hint if isinstance(hint, str) else None)
    amount = None if read.amount is None else format(read.amount, "f")
    return {**line, "got_amount": amount, "got_currency": read.symbol, "got_iso": read.currency}


def _read_gtin_line(line: Mapping[str, Any]) -> dict[str, Any]:
    text = line.get("text")
    read = read_product_number(text if isinstance(text, str) else None)
    if read is None:
        return {**line, "got_kind": None, "got_value": None}
    return {**line, "got_kind": read.kind, "got_value": read.value if read.is_trade_item else None}
