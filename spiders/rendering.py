"""Rendering by Chromium, which gets no network of its own: what it needs to be, and how it is started."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.util import find_spec
from typing import Any

from aggregator.domain.errors import FetchRefused
from aggregator.domain.stores import Store

_LOADING_MS = 15_000
# What the routes of `browser_pages` do not see (preconnects, WebSockets, WebRTC) finds no network either: no name
# and no IP address resolves, and there is no other way out than a proxy that does not exist.
_NO_NETWORK = [
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://nowhere.invalid:1",
    "--proxy-bypass-list=<-loopback>",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--js-flags=--max-old-space-size=512",
]


def rendering_settings(store: Store) -> dict[str, Any]:
    """Scrapy's settings for a crawl that may open pages in Chromium.

    Raises FetchRefused where the extra or Chromium is missing, saying what to install.
    """
    if find_spec("scrapy_playwright") is None:
        raise FetchRefused(store.url, "rendering needs the extra: pip install click2cart[rendering]")
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        raise FetchRefused(
            store.url, "rendering needs Chromium on the PATH: apt-get install chromium, or --set render=no"
        )
    handler = "spiders.browser_pages.GuardedBrowserHandler"
    return {
        "DOWNLOAD_HANDLERS": {
            "data": None, "file": None, "s3": None, "ftp": None, "http": handler, "https": handler
        },
        "PLAYWRIGHT_LAUNCH_OPTIONS": {
            "executable_path": chromium,
            "args": _NO_NETWORK,
            # Chromium refuses to start its sandbox as root.
            "chromium_sandbox": os.geteuid() != 0,
            # Nothing of ours, such as keys and passwords, is in the environment of a process that runs their code.
            "env": {"PATH": os.defpath, "HOME": tempfile.gettempdir()},
        },
        "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": 1,
        "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT": _LOADING_MS,
        # The library's own handler of requests would let them through; ours comes before it.
        "PLAYWRIGHT_ABORT_REQUEST": "spiders.browser_pages.abort",
    }  # fmt: skip
