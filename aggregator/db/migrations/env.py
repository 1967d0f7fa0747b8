"""Alembic's entry: migrations run on the connection that `aggregator.db.migrate` holds."""

from alembic import context

from aggregator.db.base import Row
from aggregator.db.models import StoreRow

# Importing one model fills the metadata with all of them.
assert StoreRow.metadata is Row.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    transaction_per_migration=False,
)
context.run_migrations()
