"""Pictures: a page notes what it lacks, a worker fetches it guarded, the page then shows our own copy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import text, update

from aggregator.catalog.picture_files import PictureFiles
from aggregator.catalog.pictures import due_pictures, picture_addresses, settle_picture, want_pictures
from aggregator.db.models import ProductRow
from aggregator.db.session import Sessions
from aggregator.domain.pictures import WIDTHS, picture_digest
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.page_site import PageSite, served
from workers.actors.pictures import fetch_picture

PASSED = text(
    "update pictures set asked_at = asked_at - cast(:by as interval),"
    " tried_at = tried_at - cast(:by as interval) where digest = :digest"
)


def drawn(colour: str) -> bytes:
    output = BytesIO()
    Image.new("RGB", (800, 600), colour).save(output, "PNG")
    return output.getvalue()


@pytest.fixture
def photos() -> Iterator[PageSite]:
    site = PageSite({})
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    site.answers = {
        "/kettle.png": (200, {"Content-Type": "text/plain"}, drawn("orange")),
        "/script.png": (200, {"Content-Type": "image/png"}, svg),
        "/inside": (302, {"Location": "http://127.0.0.1:9/secret.png"}, b""),
    }
    with served(site):
        yield site


def fetched(settings: Settings, url: str) -> str | None:
    files = PictureFiles.at(settings.data_dir)
    with Fetcher(settings) as fetcher:
        return fetch_picture(fetcher, files, picture_digest(url), url)


def test_a_page_shows_our_own_copy_once_a_worker_has_fetched_it(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow, site_settings: Settings, photos: PageSite
) -> None:
    url = f"{photos.base}/kettle.png"
    with sessions.begin() as session:
        session.execute(
            update(ProductRow).where(ProductRow.public_id == shop_window.kettle).values(image_url=url)
        )
    address = browser.get(f"/products/{shop_window.kettle}").headers["Location"]
    before = browser.page(address)
    assert "/pictures/" not in before
    assert photos.base not in before.split("<body")[1]

    with sessions.begin() as session:
        digests = due_pictures(session)
        assert due_pictures(session) == []
        assert picture_addresses(session, digests) == [(picture_digest(url), url)]
    settings = replace(site_settings, allow_private_hosts=frozenset({f"127.0.0.1:{photos.port}"}))
    assert fetched(settings, url) is None
    with sessions.begin() as session:
        settle_picture(session, digests[0])

    found = re.search(r'<img src="(/pictures/[^"]+)"', browser.page(address))
    assert found
    answer = browser.get(found[1])
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert browser.get(found[1], headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert Image.open(BytesIO(answer.data)).size == (480, 360)

    # The store changes the picture: it is shown on as it was, and fetched again once it is a week old.
    photos.answers["/kettle.png"] = (200, {}, drawn("blue"))
    browser.page(address)
    week_ago = {"digest": digests[0], "by": "8 days"}
    with sessions.begin() as session:
        assert due_pictures(session) == []
        session.execute(PASSED, week_ago)
    for width in WIDTHS:
        path = PictureFiles.at(settings.data_dir).path(digests[0], width)
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 8 * 86_400))
    assert found[1] in browser.page(address)
    with sessions.begin() as session:
        assert due_pictures(session) == digests
    assert fetched(settings, url) is None
    changed = browser.get(found[1], headers={"If-None-Match": answer.headers["ETag"]})
    assert changed.status_code == 200
    blue = Image.open(BytesIO(changed.data)).convert("RGB").getpixel((100, 100))
    assert isinstance(blue, tuple)
    assert blue[2] > 200


@pytest.mark.parametrize(
    "path", ["0" * 32 + "-480", "0" * 31 + "-480", "../" * 3 + "x-480", "A" * 32 + "-480", "0" * 32 + "-481"]
)
def test_the_address_of_a_picture_fetches_nothing(browser: Browser, path: str) -> None:
    assert browser.get(f"/pictures/{path}.webp").status_code == 404


def test_scripts_private_addresses_and_redirects_to_them_are_refused(
    site_settings: Settings, photos: PageSite
) -> None:
    allowed = replace(site_settings, allow_private_hosts=frozenset({f"127.0.0.1:{photos.port}"}))
    assert "no picture" in (fetched(allowed, f"{photos.base}/script.png") or "")
    assert "127.0.0.1:9" in (fetched(allowed, f"{photos.base}/inside") or "")
    assert "no address of the open internet" in (fetched(site_settings, f"{photos.base}/kettle.png") or "")
    assert "no address of the open internet" in (
        fetched(site_settings, "http://169.254.169.254/latest/meta-data") or ""
    )
    assert fetched(site_settings, "file:///etc/passwd") is not None
    assert not list(PictureFiles.at(site_settings.data_dir).root.glob("*/*"))


def test_what_was_tried_in_vain_is_not_tried_again_at_each_look(sessions: Sessions) -> None:
    url = "https://shop.example/none.png"
    with sessions.begin() as session:
        want_pictures(session, [url])
        (digest,) = due_pictures(session)
        settle_picture(session, digest, problem="HTTP 404")
    for passed, comes in (("0 min", []), ("30 min", []), ("40 min", [digest])):
        with sessions.begin() as session:
            session.execute(PASSED, {"by": passed, "digest": digest})
            want_pictures(session, [url])
            assert due_pictures(session) == comes


def test_the_folder_keeps_within_its_limit_and_forgets_the_longest_unseen(site_settings: Settings) -> None:
    files = PictureFiles.at(site_settings.data_dir)
    for number, name in enumerate(("aa" * 16, "bb" * 16, "cc" * 16)):
        files.keep(name, {160: bytes(1000)})
        os.utime(files.path(name, 160), (1_000_000 + number, 1_000_000 + number))
    assert files.find("aa" * 16, 160) is not None
    assert files.forget_oldest(2_000) == 1
    assert [files.find(name, 160) is not None for name in ("aa" * 16, "bb" * 16, "cc" * 16)] == [
        True,
        False,
        True,
    ]
