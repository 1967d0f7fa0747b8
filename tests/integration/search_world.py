"""A small catalogue that is really committed, with a search index beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.products import OfferGroup, assign_offers
from aggregator.catalog.search import search_products
from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.catalog.search_sync import SyncReport, synchronise
from aggregator.db.models import OfferRow, ProductRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.products import SearchPage, SearchQuery
from tests.integration.shop_rows import offer_row, store_row


@dataclass
class SearchWorld:
    """Adds products, brings the index up to date, and searches."""

    sessions: Sessions
    place: IndexPlace
    index: SearchIndex
    count: int = 0
    stores: dict[str, int] = field(default_factory=dict)

    def store(self, slug: str, **changes: Any) -> None:
        with self.sessions.begin() as session:
            self.stores[slug] = store_row(session, slug, **changes).id

    def product(self, *offers: dict[str, Any]) -> str:
        """A product of these offers ("store" defaults to alpha, "price" to 10.00); its public id."""
        with self.sessions.begin() as session:
            rows = [self._offer(session, dict(offer)) for offer in offers]
            assign_offers(session, [OfferGroup(tuple(row.id for row in rows))], reason="test")
            return session.scalars(
                select(ProductRow.public_id).join(OfferRow, OfferRow.product_id == ProductRow.id)
                .where(OfferRow.id == rows[0].id)
            ).one()  # fmt: skip

    def _offer(self, session: Session, values: dict[str, Any]) -> OfferRow:
        self.count += 1
        slug = values.pop("store", "alpha")
        if slug not in self.stores:
            self.stores[slug] = store_row(session, slug).id
        store = session.get(StoreRow, self.stores[slug])
        assert store is not None
        return offer_row(session, store, None, values.pop("price", "10.00"), number=self.count, **values)

    def sync(self) -> SyncReport:
        return synchronise(self.sessions, self.place)

    def search(self, text: str = "", **query: Any) -> SearchPage:
        with self.sessions() as session:
            return search_products(session, SearchQuery(text=text, **query), self.index)

    def titles(self, text: str = "", **query: Any) -> list[str]:
        return [card.title for card in self.search(text, **query).products]


def search_world(sessions: Sessions, folder: Path) -> SearchWorld:
    """An empty one."""
    place = IndexPlace(folder / "search-index")
    return SearchWorld(sessions, place, SearchIndex(place))
