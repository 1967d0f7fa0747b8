"""Notices of alerts in a real browser: asked for on the page, shown by the service worker, ended again."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, expect

from aggregator.domain.identifiers import new_public_id
from tests.e2e.conftest import Site
from tests.e2e.people import SCREENS, sign_in_by_link

# Chromium subscribes with a service on the internet, which no test asks; this stands in for that service alone.
PUSH_SERVICE = """
  let kept = null;
  PushManager.prototype.getSubscription = async () => kept ?? JSON.parse(sessionStorage.getItem("push") ?? "null");
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    if (applicationServerKey.length !== 87) throw new Error("no key");
    sessionStorage.setItem("push", '{"there": true}');
    kept = { toJSON: () => (%s), unsubscribe: async () => sessionStorage.removeItem("push") };
    return kept;
  };
"""
# The titles of all notices, once the one that is waited for is among them.
SHOWN = """
  async (title) => {
    const worker = await navigator.serviceWorker.ready;
    const giveUpAt = performance.now() + 10000;
    for (;;) {
      const titles = (await worker.getNotifications()).map((notice) => notice.title);
      if (titles.includes(title) || performance.now() > giveUpAt) return titles;
      await new Promise(requestAnimationFrame);
    }
  }
"""


def a_browsers_keys() -> dict[str, str]:
    point = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return {
        name: base64.urlsafe_b64encode(raw).decode().rstrip("=")
        for name, raw in (("p256dh", point), ("auth", b"sixteen bytes of"))
    }


def test_a_browser_is_asked_once_shows_a_notice_and_is_left_alone_again(
    browser: Browser, site: Site, demo: str
) -> None:
    context = browser.new_context(viewport=SCREENS["phone"], locale="en-GB", permissions=["notifications"])
    said = {"endpoint": f"https://push.example/{new_public_id()}", "keys": a_browsers_keys()}
    context.add_init_script(PUSH_SERVICE % json.dumps(said))
    page = context.new_page()
    sign_in_by_link(page, site, demo, f"{new_public_id()}@shop.example")
    page.goto(f"{demo}/alerts")
    page.get_by_role("button", name="Show notices in this browser").click()
    expect(page.get_by_text("this one")).to_be_visible()
    expect(page.get_by_role("button", name="Show notices in this browser")).to_be_hidden()
    devtools = context.new_cdp_session(page)
    workers: list[dict[str, str]] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated", lambda event: workers.extend(event["registrations"])
    )
    devtools.send("ServiceWorker.enable")
    page.wait_for_function("navigator.serviceWorker.ready")
    # The second is of the same alert and takes the place of the first.
    for title in ("Kettle", "Kettle, cheaper still"):
        notice = {"id": title, "title": title, "text": "10 EUR", "url": f"{demo}/alerts", "tag": "a1"}
        devtools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": demo, "registrationId": workers[0]["registrationId"], "data": json.dumps(notice)},
        )
        assert page.evaluate(SHOWN, title) == [title]
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("That browser shows no notices any more.")).to_be_visible()
    expect(page.get_by_role("button", name="Show notices in this browser")).to_be_visible()
    context.close()
