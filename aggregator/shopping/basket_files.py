"""Basket files: JSON read into a basket, every fault with its place and its remedy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from aggregator.domain.carts import (
    MAX_AMOUNT,
    MAX_COUPONS,
    MAX_LINES,
    MAX_OFFERS,
    MAX_PACK_SIZE,
    MAX_QUANTITY,
    MAX_STORES,
    NOTHING,
    Basket,
    BasketLine,
    BasketOffer,
    BasketStore,
    Coupon,
)
from aggregator.domain.errors import BasketError, InvalidInput
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import MOST_DELIVERY_DAYS, ShippingRule, ShippingTier

MAX_BYTES = 200_000_000
MAX_TIERS = 100
_MOST_DECIMALS = 3  # of ISO 4217's currencies

_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_Item = TypeVar("_Item")
_OF_SOME_OFFERS = {
    *("currency", "stock", "pack_size", "unit_shipping", "line_shipping", "deposit"),
    *("estimated", "pinned", "excluded"),
}


def read_basket(content: bytes) -> Basket:
    """The basket a JSON file holds. Raises BasketError with the JSON path of the first fault."""
    if len(content) > MAX_BYTES:
        raise BasketError("the file is too large", place="$", remedy=f"at most {MAX_BYTES:,} bytes")
    return _Reader(_document(content)).basket()


def read_shipping_rule(content: bytes, currency: str | None) -> ShippingRule:
    """A shipping rule by itself, written as in a basket; without a currency any one's decimals are taken.

    It may also say `per_item`, `per_kg` and `delivery_days`; a basket says what each offer costs instead. Raises
    BasketError as `read_basket` does, also for a rule without a tier: nothing could ever be delivered.
    """
    reader = _Reader(_document(content))
    reader.currency = currency or "any currency"
    reader.decimals = currency_exponent(currency) if currency else _MOST_DECIMALS
    rule = reader.shipping(reader.document, "$", is_whole=True)
    if not rule.tiers:
        raise BasketError("no tier", place="$.tiers", remedy="give at least one, it may cost 0")
    return rule


def _document(content: bytes) -> object:
    try:
        document: object = json.loads(
            content.decode("utf-8-sig"),
            parse_float=_number,
            parse_int=_number,
            parse_constant=lambda name: Decimal(name.replace("Infinity", "inf")),
            object_pairs_hook=_Object,
        )
    except UnicodeDecodeError as error:
        raise BasketError(
            f"not UTF-8 text at byte {error.start}", place="$", remedy="save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        problem = f"not JSON at line {error.lineno} column {error.colno} ({error.msg})"
        raise BasketError(problem, place="$", remedy="correct it there") from None
    except RecursionError:
        raise BasketError("nested too deeply", place="$", remedy="see the format of a basket") from None
    return document


class _Object(dict[str, object]):
    """A JSON object that remembers which key was there twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.repeated: str | None = None
        if len(self) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.repeated = next(key for key, count in counts.items() if count > 1)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return Decimal("inf")


class _Reader:
    def __init__(self, document: object) -> None:
        self.document = document
        self.currency = ""
        self.decimals = 0

    def basket(self) -> Basket:
        keys = {"currency", "lines", "stores", "offers"}
        fields = _fields(self.document, "$", keys, {"max_stores", "assumed_shipping", "parcel_value"})
        self.currency = _text(fields["currency"], "$.currency")
        try:
            self.decimals = currency_exponent(self.currency)
        except InvalidInput as error:
            raise BasketError(error.problem, place="$.currency", remedy=error.remedy) from None
        lines = _items(fields["lines"], "$.lines", MAX_LINES, self._line)
        _refuse_repeated([line.id for line in lines], "$.lines")
        stores = _items(fields["stores"], "$.stores", MAX_STORES, self._store)
        _refuse_repeated([store.id for store in stores], "$.stores")
        line_ids, store_ids = {line.id for line in lines}, {store.id for store in stores}

        def offer(value: object, path: str) -> BasketOffer:
            return self._offer(value, path, line_ids, store_ids)

        offers = _items(fields["offers"], "$.offers", MAX_OFFERS, offer)
        _refuse_repeated([offer.id for offer in offers], "$.offers")
        return Basket(
            currency=self.currency,
            lines=lines,
            stores=stores,
            offers=offers,
            max_stores=_optional_count(fields.get("max_stores"), "$.max_stores", least=1),
            assumed_shipping=self._optional_amount(fields.get("assumed_shipping"), "$.assumed_shipping"),
            parcel_value=self._amount_or_nothing(fields, "parcel_value", "$"),
        )

    def _line(self, value: object, path: str) -> BasketLine:
        fields = _fields(value, path, {"id", "quantity"}, set())
        quantity = _count(fields["quantity"], f"{path}.quantity", least=1)
        if quantity > MAX_QUANTITY:
            raise BasketError(
                f"{quantity} is too many", place=f"{path}.quantity", remedy=f"at most {MAX_QUANTITY:,}"
            )
        return BasketLine(_text(fields["id"], f"{path}.id"), quantity)

    def _store(self, value: object, path: str) -> BasketStore:
        fields = _fields(value, path, {"id"}, {"coupons", "estimated", "excluded", "shipping"})
        shipping = fields.get("shipping")
        rule = None if shipping is None else self.shipping(shipping, f"{path}.shipping")
        coupons = fields.get("coupons")
        read = _items([] if coupons is None else coupons, f"{path}.coupons", MAX_COUPONS, self._coupon)
        _refuse_repeated([coupon.id for coupon in read], f"{path}.coupons")
        return BasketStore(
            id=_text(fields["id"], f"{path}.id"),
            shipping=rule,
            coupons=read,
            estimated=_flag(fields, "estimated", path),
            excluded=_flag(fields, "excluded", path),
        )

    def _coupon(self, value: object, path: str) -> Coupon:
        fields = _fields(value, path, {"id"}, {"amount", "min_subtotal", "percent"})
        percent = fields.get("percent")
        amount = self._optional_amount(fields.get("amount"), f"{path}.amount")
        if (percent is None) == (amount is None):
            problem = "neither a percentage nor an amount" if amount is None else "a percentage and an amount"
            raise BasketError(problem, place=path, remedy="give one of percent and amount")
        return Coupon(
            id=_text(fields["id"], f"{path}.id"),
            percent=None if percent is None else _percent(percent, f"{path}.percent"),
            amount=amount,
            min_subtotal=self._amount_or_nothing(fields, "min_subtotal", path),
        )

    def shipping(self, value: object, path: str, *, is_whole: bool = False) -> ShippingRule:
        further = {"per_item", "per_kg", "delivery_days"} if is_whole else set()
        fields = _fields(value, path, {"tiers"}, {"min_order", "currency", *further})
        self._same_currency(fields, path)
        tiers = _items(fields["tiers"], f"{path}.tiers", MAX_TIERS, self._tier)
        seen: set[Decimal] = set()
        for at, tier in enumerate(tiers):
            if tier.min_subtotal in seen:
                place = f"{path}.tiers[{at}].min_subtotal"
                raise BasketError(
                    f"a second tier from {tier.min_subtotal}", place=place, remedy="keep one of them"
                )
            seen.add(tier.min_subtotal)
        days = _optional_count(fields.get("delivery_days"), f"{path}.delivery_days", least=0)
        if days is not None and days > MOST_DELIVERY_DAYS:
            raise BasketError(
                f"{days} is no delivery time",
                place=f"{path}.delivery_days",
                remedy=f"0 to {MOST_DELIVERY_DAYS} working days",
            )
        return ShippingRule(
            tiers,
            self._optional_amount(fields.get("min_order"), f"{path}.min_order"),
            per_item=self._optional_amount(fields.get("per_item"), f"{path}.per_item"),
            per_kg=self._optional_amount(fields.get("per_kg"), f"{path}.per_kg"),
            delivery_days=days,
        )

    def _tier(self, value: object, path: str) -> ShippingTier:
        fields = _fields(value, path, {"min_subtotal", "cost"}, set())
        start = self._amount(fields["min_subtotal"], f"{path}.min_subtotal")
        return ShippingTier(start, self._amount(fields["cost"], f"{path}.cost"))

    def _offer(self, value: object, path: str, lines: set[str], stores: set[str]) -> BasketOffer:
        fields = _fields(value, path, {"id", "line", "store", "price"}, _OF_SOME_OFFERS)
        self._same_currency(fields, path)
        line, store = _text(fields["line"], f"{path}.line"), _text(fields["store"], f"{path}.store")
        if line not in lines:
            raise BasketError(
                f"no line {_shown(line)}", place=f"{path}.line", remedy="use an id from $.lines"
            )
        if store not in stores:
            raise BasketError(
                f"no store {_shown(store)}", place=f"{path}.store", remedy="use an id from $.stores"
            )
        return BasketOffer(
            id=_text(fields["id"], f"{path}.id"),
            line=line,
            store=store,
            price=self._amount(fields["price"], f"{path}.price"),
            stock=_optional_count(fields.get("stock"), f"{path}.stock", least=0),
            pack_size=_pack_size(fields.get("pack_size"), f"{path}.pack_size"),
            unit_shipping=self._amount_or_nothing(fields, "unit_shipping", path),
            line_shipping=self._amount_or_nothing(fields, "line_shipping", path),
            deposit=self._amount_or_nothing(fields, "deposit", path),
            estimated=_flag(fields, "estimated", path),
            pinned=_flag(fields, "pinned", path),
            excluded=_flag(fields, "excluded", path),
        )

    def _same_currency(self, fields: _Object, path: str) -> None:
        if "currency" in fields and fields["currency"] != self.currency:
            problem = f"a second currency, {_shown(fields['currency'])}"
            remedy = f"give every amount in {self.currency}"
            raise BasketError(problem, place=f"{path}.currency", remedy=remedy)

    def _optional_amount(self, value: object, path: str) -> Decimal | None:
        return None if value is None else self._amount(value, path)

    def _amount_or_nothing(self, fields: _Object, key: str, path: str) -> Decimal:
        return self._optional_amount(fields.get(key), f"{path}.{key}") or NOTHING

    def _amount(self, value: object, path: str) -> Decimal:
        remedy = 'give it like "19.99"'
        if isinstance(value, str) and _AMOUNT.fullmatch(value):
            value = Decimal(value)
        if not isinstance(value, Decimal):
            raise BasketError(f"{_shown(value)} is not an amount", place=path, remedy=remedy)
        if not value.is_finite():
            raise BasketError(f"{value} is not an amount", place=path, remedy=remedy)
        if value < 0:
            raise BasketError(f"{_shown(value)} is negative", place=path, remedy="amounts are 0 or more")
        if value >= MAX_AMOUNT:
            raise BasketError(f"{_shown(value)} is too large", place=path, remedy=f"less than {MAX_AMOUNT:f}")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > self.decimals:
            problem = f"{_shown(value)} has more decimals than {self.currency} has"
            raise BasketError(problem, place=path, remedy=f"at most {self.decimals}")
        return abs(value)  # turns -0 into 0


def _fields(value: object, path: str, required: set[str], optional: set[str]) -> _Object:
    if not isinstance(value, _Object):
        raise BasketError(f"{_shown(value)} is not an object", place=path, remedy="give {...}")
    known = ", ".join(sorted(required | optional))
    if value.repeated is not None:
        raise BasketError(
            "the key is there twice", place=_key(path, value.repeated), remedy="keep one of them"
        )
    for key in value:
        if key not in required and key not in optional:
            raise BasketError("unknown key", place=_key(path, key), remedy=f"the keys here are {known}")
    for key in sorted(required):
        if key not in value:
            raise BasketError("missing", place=_key(path, key), remedy=f"the keys here are {known}")
    return value


def _items(value: object, path: str, limit: int, read: Callable[[object, str], _Item]) -> tuple[_Item, ...]:
    if not isinstance(value, list):
        raise BasketError(f"{_shown(value)} is not a list", place=path, remedy="give [...]")
    if len(value) > limit:
        raise BasketError(f"{len(value):,} entries", place=path, remedy=f"at most {limit:,} can be planned")
    return tuple(read(item, f"{path}[{at}]") for at, item in enumerate(value))


def _refuse_repeated(ids: list[str], path: str) -> None:
    seen: set[str] = set()
    for at, identifier in enumerate(ids):
        if identifier in seen:
            problem = f"the id {_shown(identifier)} is there twice"
            raise BasketError(problem, place=f"{path}[{at}].id", remedy="give each its own")
        seen.add(identifier)


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise BasketError(
            f"{_shown(value)} is not a text", place=path, remedy="give a text that is not empty"
        )
    return value


def _optional_count(value: object, path: str, *, least: int) -> int | None:
    return None if value is None else _count(value, path, least=least)


def _count(value: object, path: str, *, least: int) -> int:
    if not isinstance(value, Decimal) or not value.is_finite() or value != value.to_integral_value():
        raise BasketError(
            f"{_shown(value)} is not a whole number", place=path, remedy=f"give {least} or more"
        )
    if value < least:
        problem = f"{_shown(value)} is {'negative' if value < 0 else 'too few'}"
        raise BasketError(problem, place=path, remedy=f"give {least} or more")
    return int(min(value, MAX_AMOUNT))


def _pack_size(value: object, path: str) -> int:
    size = 1 if value is None else _count(value, path, least=1)
    if size > MAX_PACK_SIZE:
        raise BasketError(f"{size} is too many", place=path, remedy=f"at most {MAX_PACK_SIZE:,}")
    return size


def _flag(fields: _Object, key: str, path: str) -> bool:
    value = fields.get(key)
    if value is not None and not isinstance(value, bool):
        problem = f"{_shown(value)} is neither true nor false"
        raise BasketError(problem, place=f"{path}.{key}", remedy="give one of them, without quotes")
    return bool(value)


def _percent(value: object, path: str) -> Decimal:
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= 100:
        raise BasketError(f"{_shown(value)} is no percentage", place=path, remedy="give 0 to 100")
    if value != value.quantize(Decimal("0.01")):
        raise BasketError(f"{_shown(value)} has more than 2 decimals", place=path, remedy="at most 2")
    return abs(value)


def _key(path: str, key: str) -> str:
    return f"{path}.{key}" if _NAME.fullmatch(key) else f"{path}[{_shown(key)}]"


def _shown(value: object) -> str:
    """A value as JSON would write it, in ASCII and short."""
    if isinstance(value, Decimal):
        text = str(value)
    elif isinstance(value, dict | list):
        text = "{...}" if isinstance(value, dict) else "[...]"
    else:
        text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
