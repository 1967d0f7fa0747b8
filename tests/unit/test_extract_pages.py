"""The command extract on pages: its line, its explanation, its manifest, and what it says to wrong calls."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.domain.errors import InvalidInput
from spiders.extract_cli import extract

PAGE = """<html lang="de"><head><title>Nord Lampe - Laden</title><script type="application/ld+json">
{"@type": "Product", "name": "Nord Lampe", "sku": "N-1", "image": "/n.jpg", "offers": {"price": "19.99",
"priceCurrency": "EUR", "availability": "InStock", "itemCondition": "https://schema.org/NewCondition"}}</script></head>
<body><h1>Nord Lampe</h1><s>29,99 €</s> <b class="price">19,99 €</b><button>In den Warenkorb</button></body></html>"""
LINE = {
    "name": "Nord Lampe",
    "price": "19.99",
    "currency": "EUR",
    "availability": "InStock",
    "brand": None,
    "sku": "N-1",
    "gtin": None,
    "mpn": None,
    "list_price": "29.99",
    "item_condition": "NewCondition",
    "image": "https://laden.example/n.jpg",
    "url": "https://laden.example/p",
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(extract, list(arguments))


def test_a_saved_page_becomes_one_line(tmp_path: Path) -> None:
    saved = tmp_path / "page.html"
    saved.write_text(PAGE, encoding="utf-8")
    result = run(str(saved), "--url", "https://laden.example/p")
    assert result.exit_code == 0
    assert json.loads(result.output) == {**LINE, "ambiguous": False, "needs_browser": False, "offers": [LINE]}


def test_explain_tells_who_said_what(tmp_path: Path) -> None:
    saved = tmp_path / "page.html"
    saved.write_text(PAGE, encoding="utf-8")
    said = run(str(saved), "--url", "https://laden.example/p", "--explain").output
    assert "price: 19.99\n" in said
    assert "json_ld" in said
    assert "visible_text" in said


def test_a_manifest_of_pages_becomes_lines_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "a.html.gz").write_bytes(gzip.compress(PAGE.encode()))
    (tmp_path / "b.html").write_text("<p>Nothing</p>", encoding="utf-8")
    entries = [
        {"file": "a.html.gz", "url": "https://laden.example/p"},
        {"file": "b.html", "url": "https://l.example/"},
    ]
    manifest, output = tmp_path / "pages.jsonl", tmp_path / "out.jsonl"
    manifest.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    assert run("--manifest", str(manifest), "--output", str(output)).exit_code == 0
    first, second = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert (first["file"], first["price"], first["offers"]) == ("a.html.gz", "19.99", [LINE])
    assert (second["file"], second["name"], second["price"], second["offers"]) == ("b.html", None, None, [])


def test_a_page_without_product_answers_no(tmp_path: Path) -> None:
    saved = tmp_path / "page.html"
    saved.write_text("<p>Nothing</p>", encoding="utf-8")
    assert run(str(saved)).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [(), ("page.html", "--manifest", "m.jsonl"), ("--manifest", "missing.jsonl"), ("missing.html",)],
)
def test_a_wrong_call_is_one_line_with_a_remedy(arguments: tuple[str, ...]) -> None:
    assert isinstance(run(*arguments).exception, InvalidInput)


def test_a_broken_manifest_names_the_line(tmp_path: Path) -> None:
    manifest = tmp_path / "pages.jsonl"
    manifest.write_text('{"url": "https://shop.example"}\n', encoding="utf-8")
    result = run("--manifest", str(manifest), "--output", str(tmp_path / "out.jsonl"))
    assert f"{manifest}:1" in str(result.exception)


def test_without_an_output_the_lines_go_to_standard_output(tmp_path: Path) -> None:
    prices = tmp_path / "prices.jsonl"
    prices.write_text('{"text": "1.299,00 €", "hint": null}\n', encoding="utf-8")
    command = [str(Path(sys.executable).with_name("click2cart")), "extract", "--prices", str(prices)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["got_amount"] == "1299.00"
