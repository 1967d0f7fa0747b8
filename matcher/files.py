"""Offers, truths and pairs in CSV and Parquet files: what the file commands read and write."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TextIO

from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from matcher.records import OfferRecord

_PARQUET = {".parquet", ".pq"}


def read_offers(path: Path) -> list[OfferRecord]:
    """Offers of a file with at least `offer_id` and `title`. Raises InvalidInput with the line at fault."""
    records = []
    for line, row in _rows(path, ("offer_id", "title")):
        if not row["offer_id"]:
            raise InvalidInput("offer_id is empty", place=f"{path}, line {line}")
        records.append(
            OfferRecord(
                offer_id=row["offer_id"],
                title=row["title"],
                # What a million offers repeat is kept once.
                store=sys.intern(row.get("store", "")),
                brand=sys.intern(row.get("brand", "")),
                mpn=row.get("mpn", ""),
                gtin=row.get("gtin", ""),
                price=_price(row.get("price", "")),
                currency=sys.intern(row.get("currency", "")),
                category=sys.intern(row.get("category", "")),
            )
        )
    return records


def read_truth(path: Path) -> dict[str, str]:
    """Offer id -> product, from a file with `offer_id` and `cluster_id`."""
    truth: dict[str, str] = {}
    for line, row in _rows(path, ("offer_id", "cluster_id")):
        if row["offer_id"] in truth:
            raise InvalidInput(f"offer_id {row['offer_id']} occurs twice", place=f"{path}, line {line}")
        truth[row["offer_id"]] = row["cluster_id"]
    return truth


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of offer ids in the file's order, from `left_id` and `right_id`."""
    return [(row["left_id"], row["right_id"]) for _, row in _rows(path, ("left_id", "right_id"))]


def read_labels(path: Path, split: str | None) -> dict[tuple[str, str], bool]:
    """Labelled pairs (`label` 1 or 0), all of them or those whose `split` column is `split`."""
    columns = ("left_id", "right_id", "label", *(("split",) if split else ()))
    labels = {}
    for line, row in _rows(path, columns):
        if row["label"] not in {"0", "1"}:
            raise InvalidInput(f"label {row['label']!r} is neither 0 nor 1", place=f"{path}, line {line}")
        if split is None or row["split"] == split:
            labels[row["left_id"], row["right_id"]] = row["label"] == "1"
    return labels


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV, or as Parquet where the name ends so; "-" is standard output.

    Raises EnvironmentProblem if it cannot be.
    """
    if str(path) == "-":
        _write_csv(sys.stdout, columns, rows)
        return
    try:
        if path.suffix.lower() in _PARQUET:
            _write_parquet(path, columns, rows)
            return
        with path.open("w", newline="", encoding="utf-8") as file:
            _write_csv(file, columns, rows)
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be written: {error.strerror}") from error


def _write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Imported where it is needed: it takes longer to load than a small file takes to match.
    import pyarrow
    import pyarrow.parquet

    values = list(zip(*rows, strict=True)) or [() for _ in columns]
    table = pyarrow.table(dict(zip(columns, map(list, values), strict=True)))
    pyarrow.parquet.write_table(table, path)


def _parquet_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise InvalidInput(f"not a Parquet file ({error})", place=str(path)) from error
    _need(path, table.column_names, needed)
    rows = (row for batch in table.to_batches(max_chunksize=10_000) for row in batch.to_pylist())
    for number, row in enumerate(rows, start=1):
        yield number, {name: "" if value is None else str(value) for name, value in row.items()}


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row with its line number; absent values are empty texts."""
    try:
        if path.suffix.lower() in _PARQUET:
            yield from _parquet_rows(path, needed)
            return
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _need(path, reader.fieldnames or (), needed)
            for row in reader:
                if None in row or None in row.values():
                    raise InvalidInput(
                        "the line has not as many fields as the header",
                        place=f"{path}, line {reader.line_num}",
                    )
                yield reader.line_num, row
    except OSError as error:
        raise InvalidInput("cannot be read", place=str(path), remedy=str(error.strerror)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"not a CSV file in UTF-8 ({error})", place=str(path)) from error


def _need(path: Path, present: Iterable[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in set(present)]
    if missing:
        raise InvalidInput(
            f"the header lacks {', '.join(missing)}",
            place=str(path),
            remedy=f"needed are {', '.join(needed)}",
        )


def _price(text: str) -> Decimal | None:
    """A price is only ever compared here, so one that cannot be read counts as unknown."""
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > 0 else None
