"""How a page is looked at: what axe says of it, whether it scrolls sideways, and every stop of the Tab key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The themes differ in nothing else.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}

Finding = tuple[str, ...]

# Numbers what the keyboard must reach; of a group of radio buttons it reaches one.
_STOPS = """() => {
  const seen = new Set();
  const all = [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')].filter((one) => {
    if (one.disabled || one.closest('fieldset:disabled') || one.tabIndex < 0) return false;
    if (!one.checkVisibility({ visibilityProperty: true }) || !one.getClientRects().length) return false;
    if (one.type !== 'radio') return true;
    const group = one.form?.id + one.name;
    return !seen.has(group) && seen.add(group);
  });
  all.forEach((one, number) => { one.dataset.stop = number; });
  return all.map((one) => one.outerHTML.slice(0, 160));
}"""
# Where the keyboard stands: its number, whether a ring is to be seen, whether anything lies over all of it.
_HERE = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const ringed = [one, one.parentElement, one.nextElementSibling].some((each) => each
    && getComputedStyle(each).outlineStyle !== 'none' && parseFloat(getComputedStyle(each).outlineWidth) > 0);
  const box = one.getBoundingClientRect();
  const points = [[0.5, 0.5], [0.1, 0.3], [0.9, 0.7], [0.1, 0.7], [0.9, 0.3]].map(([x, y]) =>
    document.elementFromPoint(box.left + x * box.width, box.top + y * box.height));
  const open = points.some((hit) => hit && (one.contains(hit) || hit.contains(one) || hit.closest('label')));
  return { stop: one.dataset.stop ?? null, ringed, open, html: one.outerHTML.slice(0, 160) };
}"""


@contextmanager
def policy_breaks(page: Page) -> Iterator[list[str]]:
    """What the page's policy stops meanwhile."""
    stopped: list[str] = []
    listen = lambda message: stopped.append(message.text) if "Security Policy" in message.text else None  # noqa: E731  # taken off again
    page.on("console", listen)
    yield stopped
    page.remove_listener("console", listen)


def findings(page: Page, address: str, width: int, schemes: Iterable[str]) -> list[Finding]:
    """What axe says of a page in each scheme, what its policy stopped, and whether it scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 900})
    with policy_breaks(page) as stopped:
        page.goto(address)
    return [*((address, text) for text in stopped), *present_findings(page, width, schemes)]


def present_findings(page: Page, width: int, schemes: Iterable[str]) -> list[Finding]:
    """The same of the page as it stands, in a window as high as itself: a bar that sticks to the window's end lies
    over whatever happens to be there."""
    height = min(max(900, page.evaluate("document.documentElement.scrollHeight")), _HIGHEST)
    page.set_viewport_size({"width": width, "height": height})
    found: list[Finding] = []
    for number, scheme in enumerate(schemes):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # light or dark
        said = Axe().run(page, options=COLOURS if number else AXE).response["violations"]
        found += [(page.url, scheme, one["id"], str(one["nodes"][0]["target"])) for one in said]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append((page.url, str(width), "scrolls sideways"))
    return found


_HIGHEST = 8_000
# A field for a date or a time is left after its parts, and the button that opens its calendar.
_MOST_PARTS = 6


def walk(page: Page, address: str) -> list[Finding]:
    """Tab through the whole page: what is not reached, shows no ring, lies under something, or holds the focus."""
    page.goto(address)
    stops: list[str] = page.evaluate(_STOPS)
    # The field that takes the focus by itself is not the first of the page.
    page.evaluate("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()")
    found: list[Finding] = []
    reached: set[str] = set()
    last, times = None, 0
    for _ in range(_MOST_PARTS * len(stops) + 3):
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        if here is None:
            break
        if here["stop"] is not None and here["stop"] == last:
            times += 1
            if times < _MOST_PARTS:
                continue
            found.append((address, "holds the focus", here["html"]))
            break
        if here["stop"] in reached:
            break
        last, times = here["stop"], 0
        if here["stop"] is not None:
            reached.add(here["stop"])
        if not here["ringed"]:
            found.append((address, "no ring", here["html"]))
        if not here["open"]:
            found.append((address, "lies under something", here["html"]))
    found += [
        (address, "not reached", stop) for number, stop in enumerate(stops) if str(number) not in reached
    ]
    return found
