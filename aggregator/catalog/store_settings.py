"""Settings of stores: reading and changing them, exporting them to a file and importing them from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.schedules import apply_schedule, plan_next_crawl, schedule_of
from aggregator.db import audit
from aggregator.db.models import StoreRow
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.store_settings import COMMON_OPTIONS, StoreSettings, check_option
from aggregator.domain.vocabulary import TaxBasis
from aggregator.domain.web_addresses import read_web_address
from aggregator.platforms import find_platform, get_platform

EXPORT_VERSION = 1
MOST_STORES_IN_A_FILE = 10_000

ImportOutcome = Literal["added", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class ImportedStore:
    """What an import does to one store; `secrets_missing` are the secret options that it still needs."""

    slug: str
    outcome: ImportOutcome
    secrets_missing: tuple[str, ...]


def get_store_settings(session: Session, slug: str) -> StoreSettings:
    """The settings of a store, without its secrets; raises NotFound."""
    return _settings(_row(session, slug, lock=False))


def list_store_settings(session: Session, slugs: Sequence[str] | None = None) -> list[StoreSettings]:
    """The settings of these stores, or of all, by slug; raises NotFound."""
    if slugs is not None:
        return [get_store_settings(session, slug) for slug in slugs]
    return [_settings(row) for row in session.scalars(select(StoreRow).order_by(StoreRow.slug))]


def save_store_settings(
    session: Session,
    wanted: StoreSettings,
    *,
    seen: str | None = None,
    sealed_secrets: Mapping[str, str | None] | None = None,
    account_id: int | None = None,
) -> StoreSettings:
    """Make these the store's settings; its slug, address and platform stay. The settings as they are then.

    `seen` is the fingerprint of what the person looked at: Conflict where somebody changed it since. Of
    `sealed_secrets` each replaces a secret option, None takes it away. Raises NotFound, and InvalidInput for an option
    that the platform does not have or a value out of range.
    """
    row = _row(session, wanted.slug, lock=True)
    before = _settings(row)
    if seen is not None and seen != before.fingerprint:
        raise Conflict(
            "somebody else has changed these settings meanwhile; look at them again, nothing was saved"
        )
    platform = find_platform(row.platform)
    secrets = dict(sealed_secrets or {})
    _refuse_unknown(secrets, platform.secret_options if platform else (), row.platform)
    known = platform.options if platform else ()
    _write(row, replace(wanted, url=row.url, platform=row.platform), known=known)
    if secrets:
        kept = {name: value for name, value in row.secret_options.items() if name not in secrets}
        row.secret_options = {**kept, **{name: value for name, value in secrets.items() if value}}
    after = _settings(row)
    audit.record_change(
        session,
        account_id,
        "store_settings_changed",
        f"store:{row.slug}",
        before=_told(before),
        after=_told(after) | {f"secret {name}": "set anew" for name, value in secrets.items() if value},
    )
    session.flush()
    return after


def export_settings(settings: Sequence[StoreSettings]) -> dict[str, Any]:
    """A document that `import_stores` reads; secrets are left out."""
    return {"click2cart_stores": EXPORT_VERSION, "stores": [store.to_json() for store in settings]}


def read_export(document: Any) -> list[StoreSettings]:
    """The stores of an exported document; raises InvalidInput with the place of the first fault."""
    if not isinstance(document, Mapping) or document.get("click2cart_stores") != EXPORT_VERSION:
        raise InvalidInput(
            "not an export of stores",
            place="click2cart_stores",
            remedy=f"use what `click2cart stores export` writes (version {EXPORT_VERSION})",
        )
    stores = document.get("stores")
    if not isinstance(stores, list) or len(stores) > MOST_STORES_IN_A_FILE:
        raise InvalidInput("not a list of stores", place="stores", remedy="a list, 10,000 at most")
    read = []
    for position, store in enumerate(stores):
        try:
            read.append(StoreSettings.from_json(store))
        except InvalidInput as error:
            place = f"stores[{position}].{error.place}"
            raise InvalidInput(error.problem, place=place, remedy=error.remedy) from error
    slugs = [store.slug for store in read]
    if len(set(slugs)) < len(slugs):
        twice = next(slug for slug in slugs if slugs.count(slug) > 1)
        raise InvalidInput(f"{twice!r} is there twice", place="stores", remedy="keep one of them")
    return read


def import_stores(
    session: Session, stores: Sequence[StoreSettings], *, account_id: int | None = None
) -> list[ImportedStore]:
    """Make these the settings of the stores: all of them, or none where one cannot be.

    An unknown slug is a new store, planned by its schedule; secrets of known ones stay. Raises InvalidInput for an
    unknown platform or option, and for a slug that a store on another platform or site has.
    """
    return [_import_one(session, store, account_id) for store in stores]


def _import_one(session: Session, wanted: StoreSettings, account_id: int | None) -> ImportedStore:
    place = f"store {wanted.slug}"
    try:
        platform = get_platform(wanted.platform)
        address = read_web_address(wanted.url)
    except (NotFound, InvalidInput) as error:
        raise InvalidInput(str(error), place=place, remedy="correct it in the file") from error
    row = session.scalar(select(StoreRow).where(StoreRow.slug == wanted.slug).with_for_update())
    is_new = row is None
    if row is None:
        row = StoreRow(
            slug=wanted.slug,
            url=wanted.url,
            platform=wanted.platform,
            name=wanted.name,
            crawl_interval=wanted.schedule.longest_gap(datetime.now(UTC)),
            is_active=wanted.is_active,
            tax_basis="unknown",
            options={},
            secret_options={},
            reading_rules={},
            offer_rules={},
            judgement_limits={},
            shipping_by_country={},
        )
        session.add(row)
        session.flush()
        plan_next_crawl(row, datetime.now(UTC))
    elif row.platform != wanted.platform or read_web_address(row.url).origin != address.origin:
        raise InvalidInput(
            f"is {row.platform} at {row.url} here",
            place=place,
            remedy="give the store in the file another slug, or remove the one that is here",
        )
    before = {} if is_new else _told(_settings(row))
    try:
        _write(row, wanted, known=platform.options)
    except InvalidInput as error:
        raise InvalidInput(error.problem, place=f"{place}: {error.place}", remedy=error.remedy) from error
    session.flush()
    has_changed = audit.record_change(
        session, account_id, "store_imported", f"store:{row.slug}", before=before, after=_told(_settings(row))
    )
    missing = tuple(name for name in platform.secret_options if name not in row.secret_options)
    return ImportedStore(row.slug, "added" if is_new else "changed" if has_changed else "unchanged", missing)


def _write(row: StoreRow, wanted: StoreSettings, *, known: Sequence[str]) -> None:
    _refuse_unknown(wanted.options, (*known, *COMMON_OPTIONS, *row.options), row.platform)
    options = {
        name: check_option(name, value) if name in COMMON_OPTIONS else value
        for name, value in wanted.options.items()
        if value.strip()
    }
    row.name = clean_text(wanted.name, 100) or row.slug
    row.country, row.currency, row.tax_basis = wanted.country, wanted.currency, str(wanted.tax_basis)
    by_country = {code: rule.to_json() for code, rule in wanted.shipping_by_country.items()}
    rule = None if wanted.shipping is None else wanted.shipping.to_json()
    if (rule, by_country) != (row.shipping, row.shipping_by_country):
        row.shipping, row.shipping_by_country = rule, by_country
        row.shipping_source, row.shipping_updated_at = "operator", datetime.now(UTC)
    row.options = options
    row.reading_rules = dict(wanted.reading_rules)
    row.offer_rules = dict(wanted.offer_rules)
    row.judgement_limits = dict(wanted.judgement_limits)
    if row.is_active != wanted.is_active:
        row.is_active = wanted.is_active
        plan_next_crawl(row, datetime.now(UTC))
    apply_schedule(row, wanted.schedule)


def _refuse_unknown(given: Mapping[str, object], known: Sequence[str], platform: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidInput(
            f"{platform} has no option {unknown[0]!r}",
            place="options",
            remedy=f"its options: {', '.join(known) or 'none'}",
        )


def _settings(row: StoreRow) -> StoreSettings:
    return StoreSettings(
        slug=row.slug,
        name=row.name,
        url=row.url,
        platform=row.platform,
        is_active=row.is_active,
        country=row.country,
        currency=row.currency,
        tax_basis=TaxBasis(row.tax_basis),
        schedule=schedule_of(row),
        shipping=None if row.shipping is None else ShippingRule.from_json(row.shipping),
        shipping_by_country={
            code: ShippingRule.from_json(rule) for code, rule in sorted(row.shipping_by_country.items())
        },
        options={name: str(value) for name, value in row.options.items()},
        reading_rules={name: str(source) for name, source in row.reading_rules.items()},
        offer_rules=dict(row.offer_rules),
        judgement_limits=dict(row.judgement_limits),
        secret_names=tuple(sorted(row.secret_options)),
    )


def _told(settings: StoreSettings) -> dict[str, Any]:
    """What the audit log compares: one name for each thing a person can change."""
    told: dict[str, Any] = {}
    for name, value in settings.to_json().items():
        if name in {"options", "schedule", "shipping_by_country", "reading_rules", "offer_rules"}:
            told |= {f"{name}.{key}": item for key, item in value.items()}
        elif name not in {"slug"}:
            told[name] = value
    return told | {f"secret {name}": "set" for name in settings.secret_names}


def _row(session: Session, slug: str, *, lock: bool) -> StoreRow:
    query = select(StoreRow).where(StoreRow.slug == slug)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("store", slug)
    return row
