"""Checkouts from before purchases: they keep their store's name and get a history, there and back."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, text

from tests.integration.test_migrations import config, fresh

__all__ = ["fresh"]  # the fixture: a database of this test's own

_OLD = """
    insert into stores (public_id, slug, name, url, platform, crawl_interval) values
        ('s', 'near', 'Near', 'https://near.example', 'generic', 60);
    insert into carts (public_id, updated_at) values ('c', now());
    insert into checkouts (public_id, cart_id, plan) select 'k', id, '{}' from carts;
    insert into hand_offs (public_id, checkout_id, store_id, position, kind, link, lines, subtotal, currency, state,
        opened_at, settled_at)
    select 'h', k.id, s.id, 0, 'cart_link', '{}', '[]', 10, 'EUR', 'bought', '2026-01-01', '2026-01-02'
    from checkouts k, stores s;
"""


def test_an_old_checkout_becomes_a_purchase_and_the_way_back_works(fresh: Engine) -> None:
    with fresh.connect() as connection:
        command.upgrade(config(connection), "0013")
        connection.execute(text(_OLD))
        command.upgrade(config(connection), "0014")
        assert connection.execute(text("select store_name from hand_offs")).scalar_one() == "Near"
        (event,) = connection.execute(text("select state, created_at from hand_off_events")).all()
        assert (event.state, event.created_at.date().isoformat()) == ("bought", "2026-01-02")
        connection.execute(text("update hand_offs set state = 'shipped'; delete from stores"))
        command.downgrade(config(connection), "0013")
        assert connection.execute(text("select count(*) from hand_offs")).scalar_one() == 0
        command.upgrade(config(connection), "0014")
