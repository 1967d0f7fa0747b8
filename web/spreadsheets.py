"""CSV for spreadsheets: no cell of it can become a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP: CSV injection), full-width too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    """The text, behind an apostrophe where a spreadsheet would calculate it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def csv_answer(rows: Iterable[Sequence[str]], name: str) -> Response:
    """The rows as a file to keep; with the mark by which spreadsheets know UTF-8."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return Response(
        "\ufeff" + written.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
