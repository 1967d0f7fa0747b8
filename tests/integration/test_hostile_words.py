"""No word of a store or a person becomes markup on any page, nor turns the line that it stands in."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from flask import Flask
from lxml import html

from aggregator.catalog.products import describe_products
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.every_page import furnish, unseen_endpoints
from tests.integration.conftest import Browser
from tests.integration.shop_rows import offer_row, product_row, store_row

EVIL = "ثلاجة </script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
FORBIDDEN = ("<script>alert", "<img src=x", 'href="javascript', '"onerror="alert', "}}49")
# A run of text between two of these turns no other: first strong isolate, pop directional isolate.
ISOLATED = re.compile("\u2068[^\u2068\u2069]*\u2069")


def stock(sessions: Sessions, words: str) -> list[str]:
    """Two products in versions at two stores, every word of theirs as given; their public ids."""
    with sessions.begin() as session:
        stores = [store_row(session, f"evil-{number}", name=words, platform="shopify") for number in (1, 2)]
        ids = []
        for number in (1, 2):
            product = product_row(session, "x")
            fields = dict.fromkeys(("title", "brand", "category", "mpn", "seller"), words)
            for place, store in enumerate(stores):
                offer_row(
                    session, store, product, f"{9 + place}.00", number=10 * number + place, item_group_id="g",
                    url=f"{store.url}/{number}" if place else "javascript:alert(1)",
                    image_url='https://x.example/"onerror="alert(1)',
                    variant_attributes={words: f"{words}{number}", "b": f"{number}"}, **fields,
                )  # fmt: skip
            describe_products(session, [product.id])
            ids.append(product.public_id)
    return ids


def unturned(page: str) -> list[str]:
    """Where words that run from right to left stand in a line without an isolation of their own.

    Styles isolate code and options; what is only read out is in no line.
    """
    document = html.document_fromstring(page)
    found = []
    for element in document.iterfind("body//*"):
        if not isinstance(element.tag, str) or element.tag in {"script", "textarea", "code", "pre", "option"}:
            continue
        own = " ".join(filter(None, (element.text, *(child.tail for child in element))))
        if EVIL[:6] not in ISOLATED.sub("", own):
            continue
        around = (element, *element.iterancestors())
        if not any(
            one.tag == "bdi" or one.get("dir") == "auto" or one.get("class") == "unseen" for one in around
        ):
            found.append(html.tostring(element, encoding="unicode", with_tail=False)[:300])
    return found


def test_no_words_of_stores_or_people_become_markup_or_turn_a_line_on_any_page(
    app: Flask, browser: Browser, site_settings: Settings, sessions: Sessions
) -> None:
    products = stock(sessions, EVIL)
    seen = furnish(app, site_settings, sessions, products, lambda text: f"{text} {EVIL}")
    assert unseen_endpoints(app, seen.all) == set()
    browser.sign_in(sessions, "admin")
    files = (
        "/feeds/search.atom", f"/feeds/products/{products[0]}.atom", "/sitemap.xml", "/sitemaps/products-0.xml",
        "/sitemaps/pages.xml", f"/search?q={EVIL[:50]}", f"/operations/categories?path={EVIL[:50]}",
    )  # fmt: skip
    told, turned = 0, {}
    for address in (*seen.all, *files):
        answer = browser.client.get(address, follow_redirects=True)
        assert answer.status_code < 500, address
        text = answer.text
        assert [one for one in FORBIDDEN if one in text] == [], address
        told += "alert(1)" in text
        if str(answer.mimetype).endswith("xml"):
            ElementTree.fromstring(answer.data)
        elif answer.mimetype == "text/html":
            turned[address] = unturned(text)
        for document in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text):
            assert json.loads(document)["name"].startswith(EVIL[:6])
    assert {address: lines for address, lines in turned.items() if lines} == {}
    # Else nothing was looked at.
    assert told > 40
