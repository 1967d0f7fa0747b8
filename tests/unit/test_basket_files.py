"""Basket files: what each fault is called and where, and that no file crashes the command."""

from __future__ import annotations

import json
import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cli import main
from aggregator.domain.carts import Basket, BasketOffer, PlanStatus
from aggregator.domain.errors import BasketError
from aggregator.domain.shipping import ShippingRule
from aggregator.shopping.basket_files import read_basket, read_shipping_rule
from aggregator.shopping.plan_files import write_plan
from aggregator.shopping.planning import plan_basket

EXAMPLE = """{"currency":"EUR","max_stores":null,"assumed_shipping":"4.90",
"lines":[{"id":"l1","quantity":2},{"id":"l2","quantity":1}],
"stores":[{"id":"s1","shipping":{"tiers":[{"min_subtotal":"0","cost":"4.90"},{"min_subtotal":"50.00","cost":"0"}],
"min_order":"10.00"}},{"id":"s2","shipping":null}],
"offers":[{"id":"o1","line":"l1","store":"s1","price":"19.99","stock":5},
{"id":"o2","line":"l2","store":"s1","price":30.5},{"id":"o3","line":"l2","store":"s2","price":"29"}]}"""


RICH = """{"currency":"EUR","max_stores":2,"parcel_value":"1.00",
"lines":[{"id":"l1","quantity":5},{"id":"l2","quantity":1}],
"stores":[{"id":"s1","shipping":{"tiers":[{"min_subtotal":"0","cost":"4.90"}]},"estimated":true,
"coupons":[{"id":"c1","percent":"12.5","min_subtotal":"20"},{"id":"c2","amount":"5.00"}]},
{"id":"s2","shipping":null,"excluded":false}],
"offers":[{"id":"o1","line":"l1","store":"s1","price":"19.99","pack_size":3,"deposit":"0.25","unit_shipping":"0.50",
"line_shipping":"2"},{"id":"o2","line":"l2","store":"s1","price":30.5,"excluded":true},
{"id":"o3","line":"l2","store":"s2","price":"29","pinned":true,"estimated":true}]}"""


def changed(path: str, value: str) -> bytes:
    """The example with the JSON text `value` at a path such as `offers.0.price`; "" removes the key."""
    document = json.loads(EXAMPLE)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target = document
    for part in parents:
        target = target[part]
    if value:
        target[last] = "<here>"
    else:
        del target[last]
    return json.dumps(document).replace('"<here>"', value).encode()


def fault(content: bytes) -> str:
    with pytest.raises(BasketError) as caught:
        read_basket(content)
    assert caught.value.place.startswith("$")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_amounts_as_decimals_and_absent_limits_as_none() -> None:
    basket = read_basket(EXAMPLE.encode())
    assert [str(offer.price) for offer in basket.offers] == ["19.99", "30.5", "29"]
    assert [offer.stock for offer in basket.offers] == [5, None, None]
    assert (basket.max_stores, str(basket.assumed_shipping)) == (None, "4.90")
    assert (str(basket.stores[0].shipping.min_order), basket.stores[1].shipping) == ("10.00", None)


def test_reads_what_only_some_baskets_have() -> None:
    basket = read_basket(RICH.encode())
    assert (basket.parcel_value, basket.stores[0].estimated, basket.offers[1].excluded) == (1, True, True)
    percent, amount = basket.stores[0].coupons
    assert (percent.percent, percent.amount, percent.min_subtotal) == (Decimal("12.5"), None, 20)
    assert (amount.percent, amount.amount, amount.min_subtotal) == (None, 5, 0)
    assert basket.offers[0] == BasketOffer(
        "o1",
        "l1",
        "s1",
        Decimal("19.99"),
        pack_size=3,
        unit_shipping=Decimal("0.50"),
        line_shipping=Decimal(2),
        deposit=Decimal("0.25"),
    )
    assert (basket.offers[2].pinned, basket.offers[2].estimated) == (True, True)


def test_writes_what_only_some_plans_have() -> None:
    plan = json.loads(write_plan(plan_basket(read_basket(RICH.encode()))))
    assert plan["stores"][0] == {
        "store": "s1",
        "subtotal": "39.98",
        "shipping": "7.90",
        "discount": "5.00",
        "coupon": "c2",
        "deposit": "0.50",
    }
    assert plan["allocations"][0]["units"] == 6
    assert (plan["surplus"], plan["units"]) == ([{"line": "l1", "quantity": 1}], 6)
    assert (plan["total"], plan["estimated"], plan["complete"]) == ("72.38", True, False)


def test_a_number_is_not_rounded_on_the_way_in() -> None:
    assert str(read_basket(changed("offers.0.price", "1234567890.12")).offers[0].price) == "1234567890.12"
    assert read_basket(changed("offers.0.price", "1e2")).offers[0].price == 100
    assert str(read_basket(changed("offers.0.price", "-0")).offers[0].price) == "0"


def test_an_offer_may_repeat_the_currency_and_the_file_start_with_a_mark() -> None:
    assert read_basket(changed("offers.0.currency", '"EUR"')).currency == "EUR"
    assert read_basket(b"\xef\xbb\xbf" + EXAMPLE.encode()).currency == "EUR"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("offers.0.price", '"19.999"', "$.offers[0].price: 19.999 has more decimals than EUR has; at most 2"),
        ("offers.0.price", "19.999", "$.offers[0].price: 19.999 has more decimals than EUR has; at most 2"),
        ("offers.0.price", '"-1"', "$.offers[0].price: -1 is negative; amounts are 0 or more"),
        ("offers.0.price", "-0.01", "$.offers[0].price: -0.01 is negative; amounts are 0 or more"),
        ("offers.0.price", "NaN", '$.offers[0].price: NaN is not an amount; give it like "19.99"'),
        (
            "offers.0.price",
            "-Infinity",
            '$.offers[0].price: -Infinity is not an amount; give it like "19.99"',
        ),
        ("offers.0.price", '"NaN"', '$.offers[0].price: "NaN" is not an amount; give it like "19.99"'),
        ("offers.0.price", '"1,99"', '$.offers[0].price: "1,99" is not an amount; give it like "19.99"'),
        ("offers.0.price", '"1_000"', '$.offers[0].price: "1_000" is not an amount; give it like "19.99"'),
        (
            "offers.0.price",
            '"\\u0661"',
            '$.offers[0].price: "\\u0661" is not an amount; give it like "19.99"',
        ),
        ("offers.0.price", "null", '$.offers[0].price: null is not an amount; give it like "19.99"'),
        ("offers.0.price", "true", '$.offers[0].price: true is not an amount; give it like "19.99"'),
        ("offers.0.price", "1e12", "$.offers[0].price: 1E+12 is too large; less than 1000000000000"),
        ("offers.0.price", "", "$.offers[0].price: missing; the keys here are"),
        (
            "offers.0.colour",
            '"red"',
            "$.offers[0].colour: unknown key; the keys here are currency, deposit, estimated,",
        ),
        ("offers.0.two words", "1", '$.offers[0]["two words"]: unknown key; the keys here are'),
        ("offers.0.line", '"l9"', '$.offers[0].line: no line "l9"; use an id from $.lines'),
        ("offers.0.store", '"s9"', '$.offers[0].store: no store "s9"; use an id from $.stores'),
        ("offers.0.stock", "-1", "$.offers[0].stock: -1 is negative; give 0 or more"),
        ("offers.0.stock", "1.5", "$.offers[0].stock: 1.5 is not a whole number; give 0 or more"),
        ("offers.0.stock", "NaN", "$.offers[0].stock: NaN is not a whole number; give 0 or more"),
        ("offers.0.stock", '"5"', '$.offers[0].stock: "5" is not a whole number; give 0 or more'),
        (
            "offers.0.currency",
            '"USD"',
            '$.offers[0].currency: a second currency, "USD"; give every amount in EUR',
        ),
        ("stores.0.shipping.currency", '"USD"', "$.stores[0].shipping.currency: a second currency"),
        ("offers.1.id", '"o1"', '$.offers[1].id: the id "o1" is there twice; give each its own'),
        ("lines.1.id", '"l1"', '$.lines[1].id: the id "l1" is there twice; give each its own'),
        ("stores.1.id", '"s1"', '$.stores[1].id: the id "s1" is there twice; give each its own'),
        ("lines.0.id", "7", "$.lines[0].id: 7 is not a text; give a text that is not empty"),
        ("lines.0.id", '""', '$.lines[0].id: "" is not a text; give a text that is not empty'),
        ("lines.0.quantity", "0", "$.lines[0].quantity: 0 is too few; give 1 or more"),
        ("lines.0.quantity", "-2", "$.lines[0].quantity: -2 is negative; give 1 or more"),
        ("lines.0.quantity", "1e30", "$.lines[0].quantity: 1000000000000 is too many; at most 1,000,000"),
        ("lines.0.note", "1", "$.lines[0].note: unknown key; the keys here are id, quantity"),
        ("lines", "{}", "$.lines: {...} is not a list; give [...]"),
        ("lines.0", "[]", "$.lines[0]: [...] is not an object; give {...}"),
        ("stores.0.shipping", '"free"', '$.stores[0].shipping: "free" is not an object; give {...}'),
        ("stores.0.shipping.tiers", "", "$.stores[0].shipping.tiers: missing; the keys here are"),
        (
            "stores.0.shipping.tiers.1.cost",
            '"0.001"',
            "$.stores[0].shipping.tiers[1].cost: 0.001 has more dec",
        ),
        (
            "stores.0.shipping.tiers.1.min_subtotal",
            "0.00",
            "$.stores[0].shipping.tiers[1].min_subtotal: a second",
        ),
        ("stores.0.shipping.tiers.0.from", "1", "$.stores[0].shipping.tiers[0].from: unknown key"),
        ("stores.0.shipping.min_order", '"-5"', "$.stores[0].shipping.min_order: -5 is negative"),
        ("stores.0.country", '"DE"', "$.stores[0].country: unknown key; the keys here are coupons, "),
        ("max_stores", "-1", "$.max_stores: -1 is negative; give 1 or more"),
        ("max_stores", "0", "$.max_stores: 0 is too few; give 1 or more"),
        ("assumed_shipping", "-1", "$.assumed_shipping: -1 is negative"),
        ("currency", '"eur"', "$.currency: 'eur' is not an ISO 4217 currency; use a code such as EUR"),
        ("currency", '["EUR","USD"]', "$.currency: [...] is not a text"),
        ("currency", "", "$.currency: missing; the keys here are assumed_shipping, currency, lines,"),
        ("colour", "1", "$.colour: unknown key; the keys here are assumed_shipping, currency, lines,"),
        ("offers.0.pack_size", "0", "$.offers[0].pack_size: 0 is too few; give 1 or more"),
        ("offers.0.pack_size", "10001", "$.offers[0].pack_size: 10001 is too many; at most 10,000"),
        ("offers.0.pack_size", '"6"', '$.offers[0].pack_size: "6" is not a whole number; give 1 or more'),
        ("offers.0.deposit", '"-0.25"', "$.offers[0].deposit: -0.25 is negative; amounts are 0 or more"),
        ("offers.0.unit_shipping", "0.001", "$.offers[0].unit_shipping: 0.001 has more decimals than EUR"),
        ("offers.0.line_shipping", "NaN", "$.offers[0].line_shipping: NaN is not an amount"),
        ("offers.0.pinned", "1", "$.offers[0].pinned: 1 is neither true nor false; give one of them"),
        ("stores.0.excluded", '"no"', '$.stores[0].excluded: "no" is neither true nor false; give one of'),
        ("stores.0.coupons", "{}", "$.stores[0].coupons: {...} is not a list; give [...]"),
        (
            "stores.0.coupons",
            '[{"id":"c"}]',
            "$.stores[0].coupons[0]: neither a percentage nor an amount; giv",
        ),
        (
            "stores.0.coupons",
            '[{"id":"c","amount":1,"percent":5}]',
            "$.stores[0].coupons[0]: a percentage and an amount; give one of percent and amount",
        ),
        (
            "stores.0.coupons",
            '[{"id":"c","percent":100.5}]',
            "$.stores[0].coupons[0].percent: 100.5 is no percentage; give 0 to 100",
        ),
        (
            "stores.0.coupons",
            '[{"id":"c","percent":"3.125"}]',
            "$.stores[0].coupons[0].percent: 3.125 has more than 2 decimals; at most 2",
        ),
        (
            "stores.0.coupons",
            '[{"id":"c","amount":1},{"id":"c","amount":2}]',
            '$.stores[0].coupons[1].id: the id "c" is there twice; give each its own',
        ),
        ("parcel_value", '"-1"', "$.parcel_value: -1 is negative; amounts are 0 or more"),
        ("currency", '"EUR","currency":"USD"', "$.currency: the key is there twice; keep one of them"),
        ("offers.2.price", '1,"price":2', "$.offers[2].price: the key is there twice; keep one of them"),
    ],
)
def test_names_the_place_and_the_remedy(path: str, value: str, expected: str) -> None:
    assert fault(changed(path, value)).startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "$: not JSON at line 1 column 1"),
        (b'{"currency":\n"EUR",}', "$: not JSON at line 2 column"),
        (b"\xff\xfe", "$: not UTF-8 text at byte 0; save the file as UTF-8"),
        (b"[" * 100_000, "$: nested too deeply"),
        (b"[]", "$: [...] is not an object; give {...}"),
        (b"9" * 10_000, "$: 999999999"),
        (b"1e99999999999999999999", "$: Infinity is not an object"),
    ],
)
def test_says_what_is_wrong_with_a_file_that_is_no_basket(content: bytes, expected: str) -> None:
    assert fault(content).startswith(expected)


@pytest.mark.parametrize(("what", "limit"), [("lines", 500), ("stores", 1_000), ("offers", 200_000)])
def test_limits_are_named(what: str, limit: int) -> None:
    entries = {
        "lines": '{"id":"%d","quantity":1}',
        "stores": '{"id":"%d"}',
        "offers": '{"id":"%d","line":"l1","store":"s1","price":1}',
    }
    too_many = "[" + ",".join(entries[what] % at for at in range(limit + 1)) + "]"
    content = changed(what, too_many)
    assert fault(content) == f"$.{what}: {limit + 1:,} entries; at most {limit:,} can be planned"


def test_the_largest_number_of_lines_and_stores_is_accepted() -> None:
    lines = ",".join(f'{{"id":"{at}","quantity":1}}' for at in range(500))
    stores = ",".join(f'{{"id":"{at}"}}' for at in range(1_000))
    basket = read_basket(f'{{"currency":"EUR","lines":[{lines}],"stores":[{stores}],"offers":[]}}'.encode())
    assert (len(basket.lines), len(basket.stores)) == (500, 1_000)


PLAN_KEYS = (
    "status currency total bound complete estimated units allocations stores missing surplus frontier "
    "single_store cheapest_per_line cheapest_known_parts"
).split()


def test_a_shipping_rule_by_itself_is_read_as_strictly_as_in_a_basket() -> None:
    text = b'{"tiers": [{"min_subtotal": 0, "cost": 4.90}, {"min_subtotal": "50", "cost": "0"}]}'
    assert read_shipping_rule(text, "EUR").to_json() == {
        "tiers": [{"min_subtotal": "0", "cost": "4.90"}, {"min_subtotal": "50", "cost": "0"}],
        "min_order": None,
    }


@pytest.mark.parametrize(
    ("text", "currency", "fault"),
    [
        ("[]", None, "$: [...] is not an object; give {...}"),
        ('{"tiers": []}', None, "$.tiers: no tier; give at least one, it may cost 0"),
        (
            '{"tiers": [{"min_subtotal": "0", "cost": "4.9001"}]}',
            None,
            "$.tiers[0].cost: 4.9001 has more decimals than any currency has; at most 3",
        ),
        (
            '{"tiers": [{"min_subtotal": "0", "cost": "490.5"}]}',
            "JPY",
            "$.tiers[0].cost: 490.5 has more decimals than JPY has; at most 0",
        ),
        (
            '{"tiers": [{"min_subtotal": "0", "cost": "1"}], "free": "50"}',
            None,
            "$.free: unknown key; the keys here are currency, delivery_days, min_order, per_item, per_kg, tiers",
        ),
        ("[" * 100_000, None, "$: nested too deeply; see the format of a basket"),
    ],
)
def test_a_wrong_shipping_rule_is_named(text: str, currency: str | None, fault: str) -> None:
    with pytest.raises(BasketError) as error:
        read_shipping_rule(text.encode(), currency)
    assert str(error.value) == fault


def run_plan(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["click2cart", "plan", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_the_command_writes_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "basket.json", tmp_path / "plan.json"
    source.write_text(EXAMPLE, encoding="utf-8")
    assert run_plan(monkeypatch, str(source), "--output", str(target), "--time-limit", "5") == 0
    assert capsys.readouterr().out == ""
    plan = json.loads(target.read_text(encoding="utf-8"))
    assert list(plan) == PLAN_KEYS
    assert plan == {
        "status": "optimal",
        "currency": "EUR",
        "total": "70.48",
        "bound": "70.48",
        "complete": True,
        "estimated": False,
        "units": 3,
        "allocations": [
            {"line": "l1", "offer": "o1", "store": "s1", "quantity": 2, "units": 2},
            {"line": "l2", "offer": "o2", "store": "s1", "quantity": 1, "units": 1},
        ],
        "stores": [
            {
                "store": "s1",
                "subtotal": "70.48",
                "shipping": "0.00",
                "discount": "0.00",
                "coupon": None,
                "deposit": "0.00",
            }
        ],
        "missing": [],
        "surplus": [],
        "frontier": [{"max_stores": 1, "units": 3, "total": "70.48", "complete": True, "proven": True}],
        "single_store": {"store": "s1", "total": "70.48", "complete": True},
        "cheapest_per_line": {"total": "73.88", "complete": False},
        "cheapest_known_parts": {"total": "70.48", "unknown_stores": 0},
    }


def test_the_command_exits_with_1_where_nothing_can_be_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "basket.json"
    source.write_bytes(changed("offers", "[]"))
    assert run_plan(monkeypatch, str(source)) == 1
    plan = json.loads(capsys.readouterr().out)
    assert (plan["status"], plan["total"], plan["frontier"]) == ("infeasible", "0", [])
    assert plan["missing"] == [
        {"line": "l1", "quantity": 2, "reason": "not_offered"},
        {"line": "l2", "quantity": 1, "reason": "not_offered"},
    ]


def test_the_command_exits_with_2_and_one_line_where_the_basket_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "basket.json"
    source.write_bytes(changed("offers.1.price", "-1"))
    assert run_plan(monkeypatch, str(source)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "click2cart: $.offers[1].price: -1 is negative; amounts are 0 or more\n"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("offers.0.price", '"19.999"', "$.offers[0].price"),
        ("stores.0.shipping.min_order", "1.005", "$.stores[0].shipping.min_order"),
        ("stores.0.shipping.tiers.0.cost", '"-4.90"', "$.stores[0].shipping.tiers[0].cost"),
        ("assumed_shipping", "NaN", "$.assumed_shipping"),
        ("offers.1.weight", "1", "$.offers[1].weight"),
        ("lines.0.unit", '"kg"', "$.lines[0].unit"),
        ("offers.2.line", '"l3"', "$.offers[2].line"),
        ("offers.2.store", '"s3"', "$.offers[2].store"),
        ("offers.1.currency", '"USD"', "$.offers[1].currency"),
        ("offers.2.id", '"o2"', "$.offers[2].id"),
        ("lines.1.id", '"l1"', "$.lines[1].id"),
        ("stores.1.id", '"s1"', "$.stores[1].id"),
        ("lines", json.dumps([{"id": str(at), "quantity": 1} for at in range(501)]), "$.lines"),
        ("stores", json.dumps([{"id": str(at)} for at in range(1_001)]), "$.stores"),
        ("offers", json.dumps([{"id": "o"}] * 200_001), "$.offers"),
    ],
)
def test_the_command_exits_with_2_for_every_fault_that_the_format_names(
    path: str,
    value: str,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "basket.json"
    source.write_bytes(changed(path, value))
    assert run_plan(monkeypatch, str(source)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"click2cart: {place}: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--time-limit", "0"], ["--time-limit", "nan"], ["--output", "missing/plan.json"]]
)
def test_the_command_exits_with_2_where_the_call_is_wrong(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("basket.json").write_text(EXAMPLE, encoding="utf-8")
    assert run_plan(monkeypatch, "basket.json", *arguments) == 2
    assert run_plan(monkeypatch, "absent.json") == 2


VALUES = st.sampled_from(
    "null true -1 0 1 2 3 0.001 1e400 NaN Infinity 99999999999 "
    '"" "0" "-0" "x" "l1" "s1" "o1" "12.34" "1e5" "\\ud800" [] {} [[]] {"id":"l1"} {"tiers":[]}'.split()
)


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """An example with some values replaced or removed, and sometimes some bytes."""
    document = json.loads(draw(st.sampled_from([EXAMPLE, RICH])))
    replacements: list[str] = []
    for _ in range(draw(st.integers(0, 3))):
        target, keys = document, list(document)
        while True:
            key = draw(st.sampled_from(keys))
            child = target[key]
            keys = (
                list(child)
                if isinstance(child, dict)
                else list(range(len(child)))
                if isinstance(child, list)
                else []
            )
            if not keys or draw(st.integers(0, 3)) == 0:
                break
            target = child
        if draw(st.integers(0, 4)) == 0:
            del target[key]
        else:
            target[key] = f"<{len(replacements)}>"
            replacements.append(draw(VALUES))
        if not document:
            break
    text = json.dumps(document)
    for at, value in enumerate(replacements):
        text = text.replace(f'"<{at}>"', value)
    content = bytearray(text.encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


def basket_or_fault(content: bytes) -> Basket | BasketError:
    try:
        return read_basket(content)
    except BasketError as error:
        return error


def plan_or_refuse(content: bytes) -> None:
    basket = basket_or_fault(content)
    if isinstance(basket, BasketError):
        assert basket.place.startswith("$")
        assert str(basket).isascii()
        return
    plan = plan_basket(basket, time_limit=2)
    assert plan.status in PlanStatus
    assert write_plan(plan).isascii()
    assert list(json.loads(write_plan(plan))) == PLAN_KEYS


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(mutated_files())
def test_no_file_crashes_the_planner(content: bytes) -> None:
    plan_or_refuse(content)


@pytest.mark.prove
def test_no_file_crashes_the_planner_in_ten_thousand() -> None:
    rng = random.Random(7)
    for _ in range(10_000):
        content = bytearray(rng.choice([EXAMPLE, RICH]).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(content))
            content[at : at + rng.choice([0, 1, 1, 3])] = rng.choice(
                [b"", b"0", b"9", b"-", b".", b'"', b"null", b"{", b"]", b",", bytes([rng.randrange(256)])]
            )
        plan_or_refuse(bytes(content))


def test_a_rule_by_itself_may_tell_surcharges_and_days() -> None:
    text = b'{"tiers": [{"min_subtotal": "0", "cost": "1"}], "per_item": "0.50", "per_kg": 1.1, "delivery_days": 3}'
    rule = read_shipping_rule(text, "EUR")
    assert (rule.per_item, rule.per_kg, rule.delivery_days) == (Decimal("0.50"), Decimal("1.1"), 3)
    assert ShippingRule.from_json(rule.to_json()) == rule
    with pytest.raises(BasketError, match=r"\$\.delivery_days: 366 is no delivery time"):
        read_shipping_rule(text.replace(b": 3}", b": 366}"), "EUR")
