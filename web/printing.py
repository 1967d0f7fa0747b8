"""Pages as PDF, where this machine can draw them."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Response, current_app
from flask_babel import gettext as _

from aggregator.domain.errors import EnvironmentProblem

log = logging.getLogger(__name__)

# One at a time: a document takes a whole core, and Pango is not said to bear threads.
_DRAWING = Lock()


def pdf_answer(html: str, stylesheet: str, name: str) -> Response:
    """The page drawn as PDF with one of our style sheets.

    Nothing is fetched while it is drawn: no address that a store or a shopper wrote is ever opened. Raises
    EnvironmentProblem where WeasyPrint or Pango is missing.
    """
    weasyprint = _weasyprint()
    if weasyprint is None:
        raise EnvironmentProblem(
            _("This site cannot draw PDF files. Print the page instead: your browser can save it as PDF.")
        )
    css = (Path(current_app.static_folder or "") / stylesheet).read_text(encoding="utf-8")
    with _DRAWING:
        document = weasyprint.HTML(string=html, url_fetcher=_fetch_nothing)
        drawn = document.write_pdf(stylesheets=[weasyprint.CSS(string=css, url_fetcher=_fetch_nothing)])
    return Response(
        drawn,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


@cache
def _weasyprint() -> Any:
    """The library, None where it or what it needs of the system is missing."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "HarfBuzz-Subset will be required", DeprecationWarning)
            import weasyprint
    except (ImportError, OSError) as error:
        log.warning("no PDF can be drawn (install click2cart[pdf] and Pango): %s", error)
        return None
    return weasyprint


def _fetch_nothing(url: str, *_args: object, **_options: object) -> Any:
    raise ValueError(f"nothing is fetched for a PDF: {url[:80]}")
