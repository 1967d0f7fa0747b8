"""The tree of categories over the catalogue: counts, pages of products, and operators' rules for stores' paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.product_cards import CARD_COLUMNS, product_card
from aggregator.catalog.search_changes import record_search_changes
from aggregator.db.models import AccountRow, AuditEntryRow, CategoryRuleRow, ProductRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.products import ProductCard
from aggregator.domain.taxonomy import branch, categories, category_of

_FILED_AT_ONCE = 5_000
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRule:
    """An operator's word for a store's path; `said_by` is None for who left."""

    path: str
    category: str
    said_by: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledPath:
    """A path of some store: where its products stand (most of them), how many, one of their titles."""

    path: str
    category: str
    count: int
    example: str
    has_rule: bool


def category_rules(session: Session) -> Mapping[str, str]:
    """Every rule: the category's key by the path as stores word it."""
    rows = session.execute(select(CategoryRuleRow.path, CategoryRuleRow.category_key))
    return {row.path: row.category_key for row in rows}


def category_counts(session: Session) -> dict[str, int]:
    """How many products with offers each category holds, by key; a department's own count includes its categories'."""
    rows = session.execute(
        select(ProductRow.category_key, func.count())
        .where(ProductRow.offer_count > 0, ProductRow.category_key.is_not(None))
        .group_by(ProductRow.category_key)
    )
    own = {key: count for key, count in rows if key in categories()}
    return {
        key: count for key in categories() if (count := sum(own.get(below, 0) for below in branch(key))) > 0
    }


def products_of_category(session: Session, key: str, *, limit: int = 24) -> tuple[ProductCard, ...]:
    """Products of a category or a whole department, those at most stores first. Raises NotFound for an unknown key."""
    if key not in categories():
        raise NotFound("category", key)
    rows = session.execute(
        text(
            f"""
            select p.* from unnest(cast(:keys as text[])) as c(key)
            cross join lateral (
                select {CARD_COLUMNS} from products p where p.category_key = c.key and p.offer_count > 0
                order by p.store_count desc, p.id limit :limit
            ) p
            order by p.store_count desc, p.id limit :limit
            """
        ),
        {"keys": list(branch(key)), "limit": limit},
    )
    return tuple(product_card(row) for row in rows.mappings())


def file_products(session: Session) -> int:
    """Give products that were never looked at their category, some thousands at a time; how many."""
    lock_catalogue(session)
    rows = session.execute(
        select(ProductRow.id, ProductRow.category, ProductRow.title)
        .where(ProductRow.category_key.is_(None))
        .order_by(ProductRow.id)
        .limit(_FILED_AT_ONCE)
    ).all()
    rules = category_rules(session)
    _file(session, {row.id: category_of(row.category, row.title, rules) for row in rows})
    return len(rows)


def list_paths(session: Session, *, only_other: bool = False, limit: int = 100) -> list[FiledPath]:
    """Stores' paths with most products first; `only_other`: those that mean nothing to us."""
    rows = session.execute(
        text(
            f"""
            select p.category as path, mode() within group (order by p.category_key) as key, count(*) as products,
                   min(p.title collate "C") as example, bool_or(r.path is not null) as has_rule
            from products p left join category_rules r on r.path = p.category
            where p.category is not null and p.offer_count > 0
              {"and p.category_key = 'other'" if only_other else ""}
            group by p.category order by count(*) desc, p.category collate "C" limit :limit
            """
        ),
        {"limit": limit},
    )
    return [
        FiledPath(
            path=row.path,
            category=row.key or "other",
            count=row.products,
            example=row.example,
            has_rule=row.has_rule,
        )
        for row in rows
    ]


def list_rules(session: Session) -> list[CategoryRule]:
    """Every rule, the newest first."""
    rows = session.execute(
        select(CategoryRuleRow, AccountRow.email)
        .outerjoin(AccountRow, AccountRow.id == CategoryRuleRow.account_id)
        .order_by(CategoryRuleRow.id.desc())
    )
    return [
        CategoryRule(path=rule.path, category=rule.category_key, said_by=email, created_at=rule.created_at)
        for rule, email in rows
    ]


def set_category_rule(session: Session, path: str, key: str, *, account_id: int | None) -> int:
    """From now on stores' path `path` means category `key`; how many products that moved. Raises InvalidInput."""
    path = path.strip()
    if not path or len(path) > _LONGEST_PATH:
        raise InvalidInput(f"a path has 1 to {_LONGEST_PATH} characters", place="path")
    if key not in categories():
        raise InvalidInput(f"no such category: {key}", place="category")
    lock_catalogue(session)
    values = {"category_key": key, "account_id": account_id, "created_at": func.now()}
    session.execute(
        insert(CategoryRuleRow)
        .values(path=path, **values)
        .on_conflict_do_update(index_elements=["path"], set_=values)
    )
    return _refile(session, path, key, account_id)


def remove_category_rule(session: Session, path: str, *, account_id: int | None) -> int:
    """Let the words of the path and of titles decide again; how many products that moved. Raises NotFound."""
    lock_catalogue(session)
    removed = session.execute(
        delete(CategoryRuleRow).where(CategoryRuleRow.path == path).returning(CategoryRuleRow.id)
    ).all()
    if not removed:
        raise NotFound("rule for the path", path)
    return _refile(session, path, None, account_id)


def _refile(session: Session, path: str, key: str | None, account_id: int | None) -> int:
    rows = session.execute(
        select(ProductRow.id, ProductRow.title, ProductRow.category_key).where(ProductRow.category == path)
    )
    wanted = {row.id: new for row in rows if (new := key or category_of(path, row.title)) != row.category_key}
    _file(session, wanted)
    session.add(
        AuditEntryRow(
            account_id=account_id,
            action="category_rule_set" if key else "category_rule_removed",
            subject=f"path:{path}",
            detail={"category": key, "products": len(wanted)},
        )
    )
    return len(wanted)


def _file(session: Session, keys: Mapping[int, str]) -> None:
    if not keys:
        return
    session.execute(
        text(
            """
            update products p set category_key = f.key
            from unnest(cast(:ids as bigint[]), cast(:keys as text[])) as f(id, key) where p.id = f.id
            """
        ),
        {"ids": list(keys), "keys": list(keys.values())},
    )
    record_search_changes(session, list(keys))
