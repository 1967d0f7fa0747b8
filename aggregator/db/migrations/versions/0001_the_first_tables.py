"""The first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_accounts_public_id")),
    )
    op.create_table(
        "products",
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("mpn", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("item_group_id", sa.Text(), nullable=True),
        sa.Column("merged_into_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offer_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("store_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "store_ids",
            postgresql.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'::bigint[]"),
            nullable=False,
        ),
        sa.Column("is_available", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lowest_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("lowest_price_currency", sa.Text(), nullable=True),
        sa.Column(
            "search_vector", postgresql.TSVECTOR(), server_default=sa.text("''::tsvector"), nullable=False
        ),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["merged_into_id"], ["products.id"], name=op.f("fk_products_merged_into_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("public_id", name=op.f("uq_products_public_id")),
    )
    op.create_index("ix_products_brand", "products", ["brand"], unique=False)
    op.create_index("ix_products_category", "products", ["category"], unique=False)
    op.create_index(op.f("ix_products_gtin"), "products", ["gtin"], unique=False)
    op.create_index(
        "ix_products_search_vector", "products", ["search_vector"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_products_store_ids", "products", ["store_ids"], unique=False, postgresql_using="gin")
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_limits")),
        sa.UniqueConstraint("key", "window_starts_at", name=op.f("uq_rate_limits_key_window_starts_at")),
    )
    op.create_table(
        "stores",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("tax_basis", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("shipping", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("shipping_source", sa.Text(), nullable=True),
        sa.Column("shipping_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "secret_options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("detection", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "reading_rules",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("crawl_interval", sa.BigInteger(), nullable=False),
        sa.Column("next_crawl_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crawl_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
        sa.UniqueConstraint("public_id", name=op.f("uq_stores_public_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_stores_slug")),
    )
    op.create_index(op.f("ix_stores_next_crawl_at"), "stores", ["next_crawl_at"], unique=False)
    op.create_table(
        "account_roles",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "role in ('shopper', 'seller', 'courier', 'analyst', 'operator', 'admin')",
            name=op.f("ck_account_roles_role"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_roles_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "role", name=op.f("pk_account_roles")),
    )
    op.create_table(
        "account_sessions",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_sessions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_sessions_token_hash")),
    )
    op.create_index(op.f("ix_account_sessions_account_id"), "account_sessions", ["account_id"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_audit_log_account_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "carts",
        sa.Column("token_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_stores", sa.BigInteger(), nullable=True),
        sa.Column("assumed_shipping", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_carts_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_carts_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_carts_token_hash")),
    )
    op.create_index(op.f("ix_carts_account_id"), "carts", ["account_id"], unique=False)
    op.create_table(
        "probes",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('waiting', 'running', 'done', 'failed')", name=op.f("ck_probes_state")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_probes_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_probes_store_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_probes_public_id")),
    )
    op.create_index(
        "ix_probes_open",
        "probes",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state in ('waiting', 'running')"),
    )
    op.create_table(
        "runs",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_complete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("new", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("gone", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "state in ('running', 'finished', 'held', 'failed', 'cancelled')", name=op.f("ck_runs_state")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_runs_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("public_id", name=op.f("uq_runs_public_id")),
    )
    op.create_index(
        "ix_runs_store_id_started_at",
        "runs",
        ["store_id", sa.literal_column("started_at desc")],
        unique=False,
    )
    op.create_index(
        "uq_runs_store_id_running",
        "runs",
        ["store_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sign_in_links_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_links_token_hash")),
    )
    op.create_table(
        "checkouts",
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f("fk_checkouts_cart_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_checkouts_public_id")),
    )
    op.create_index(op.f("ix_checkouts_cart_id"), "checkouts", ["cart_id"], unique=False)
    op.create_table(
        "offers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "public_id",
            sa.Text(),
            server_default=sa.text("left(replace(gen_random_uuid()::text, '-', ''), 20)"),
            nullable=False,
        ),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("match_state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("tax_basis", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("mpn", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("item_group_id", sa.Text(), nullable=True),
        sa.Column(
            "variant_attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("pack_size", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("list_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("price_kind", sa.Text(), server_default="regular", nullable=False),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("stock_level", sa.BigInteger(), nullable=True),
        sa.Column("item_condition", sa.Text(), server_default="NewCondition", nullable=False),
        sa.Column("seller", sa.Text(), nullable=True),
        sa.Column("shipping_cost", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column(
            "handoff",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("reading", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint("match_state in ('pending', 'linked')", name=op.f("ck_offers_match_state")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_offers_product_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_offers_run_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_offers_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offers_public_id")),
    )
    op.create_index(
        "ix_offers_pending",
        "offers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("match_state = 'pending'"),
    )
    op.create_index(op.f("ix_offers_product_id"), "offers", ["product_id"], unique=False)
    op.create_index("uq_offers_store_id_external_id", "offers", ["store_id", "external_id"], unique=True)
    op.create_table(
        "quarantined_offers",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_quarantined_offers_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_quarantined_offers_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_offers")),
    )
    op.create_index(op.f("ix_quarantined_offers_run_id"), "quarantined_offers", ["run_id"], unique=False)
    op.create_index(
        "ix_quarantined_offers_store_id_state", "quarantined_offers", ["store_id", "state"], unique=False
    )
    op.create_table(
        "staged_offers",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("mpn", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("item_group_id", sa.Text(), nullable=True),
        sa.Column(
            "variant_attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("pack_size", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("list_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("price_kind", sa.Text(), server_default="regular", nullable=False),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("stock_level", sa.BigInteger(), nullable=True),
        sa.Column("item_condition", sa.Text(), server_default="NewCondition", nullable=False),
        sa.Column("seller", sa.Text(), nullable=True),
        sa.Column("shipping_cost", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column(
            "handoff",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("reading", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_staged_offers_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "attempt", "position", name=op.f("pk_staged_offers")),
    )
    op.create_table(
        "cart_lines",
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("pinned_offer_id", sa.BigInteger(), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity between 1 and 999", name=op.f("ck_cart_lines_quantity")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f("fk_cart_lines_cart_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pinned_offer_id"],
            ["offers.id"],
            name=op.f("fk_cart_lines_pinned_offer_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_cart_lines_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_lines")),
        sa.UniqueConstraint("cart_id", "product_id", name=op.f("uq_cart_lines_cart_id_product_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_cart_lines_public_id")),
    )
    op.create_index(op.f("ix_cart_lines_product_id"), "cart_lines", ["product_id"], unique=False)
    op.create_table(
        "hand_offs",
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("link", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subtotal", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("shipping", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'opened', 'bought', 'given_up')", name=op.f("ck_hand_offs_state")
        ),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["checkouts.id"], name=op.f("fk_hand_offs_checkout_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_hand_offs_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_offs")),
        sa.UniqueConstraint("checkout_id", "store_id", name=op.f("uq_hand_offs_checkout_id_store_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_hand_offs_public_id")),
    )
    op.create_index(op.f("ix_hand_offs_store_id"), "hand_offs", ["store_id"], unique=False)
    op.create_table(
        "match_links",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("other_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_match_links_offer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_offer_id"], ["offers.id"], name=op.f("fk_match_links_other_offer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_links")),
        sa.UniqueConstraint(
            "offer_id", "other_offer_id", name=op.f("uq_match_links_offer_id_other_offer_id")
        ),
    )
    op.create_index(op.f("ix_match_links_other_offer_id"), "match_links", ["other_offer_id"], unique=False)
    op.create_table(
        "match_reviews",
        sa.Column("left_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("right_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("left_offer_id < right_offer_id", name=op.f("ck_match_reviews_ordered")),
        sa.ForeignKeyConstraint(
            ["left_offer_id"], ["offers.id"], name=op.f("fk_match_reviews_left_offer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["right_offer_id"],
            ["offers.id"],
            name=op.f("fk_match_reviews_right_offer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_reviews")),
        sa.UniqueConstraint(
            "left_offer_id", "right_offer_id", name=op.f("uq_match_reviews_left_offer_id_right_offer_id")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_match_reviews_public_id")),
    )
    op.create_index(
        "ix_match_reviews_open",
        "match_reviews",
        ["probability"],
        unique=False,
        postgresql_where=sa.text("settled_at is null"),
    )
    op.create_index(
        op.f("ix_match_reviews_right_offer_id"), "match_reviews", ["right_offer_id"], unique=False
    )
    op.create_table(
        "match_verdicts",
        sa.Column("left_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("right_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "verdict in ('same', 'different', 'variant')", name=op.f("ck_match_verdicts_verdict")
        ),
        sa.CheckConstraint("left_offer_id < right_offer_id", name=op.f("ck_match_verdicts_ordered")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_match_verdicts_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["left_offer_id"], ["offers.id"], name=op.f("fk_match_verdicts_left_offer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["right_offer_id"],
            ["offers.id"],
            name=op.f("fk_match_verdicts_right_offer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_verdicts")),
    )
    op.create_index(
        op.f("ix_match_verdicts_right_offer_id"), "match_verdicts", ["right_offer_id"], unique=False
    )
    op.create_index(
        "uq_match_verdicts_pair",
        "match_verdicts",
        ["left_offer_id", "right_offer_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at is null"),
    )
    op.create_table(
        "offer_checks",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_offer_checks_offer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_offer_checks")),
    )
    op.create_table(
        "offer_prices",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("list_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("price_kind", sa.Text(), nullable=False),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_offer_prices_offer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "recorded_at", name=op.f("pk_offer_prices")),
    )
    op.create_table(
        "offer_products",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_offer_products_offer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_offer_products_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "assigned_at", name=op.f("pk_offer_products")),
    )
    op.create_index(op.f("ix_offer_products_product_id"), "offer_products", ["product_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_offer_products_product_id"), table_name="offer_products")
    op.drop_table("offer_products")
    op.drop_table("offer_prices")
    op.drop_table("offer_checks")
    op.drop_index(
        "uq_match_verdicts_pair",
        table_name="match_verdicts",
        postgresql_where=sa.text("withdrawn_at is null"),
    )
    op.drop_index(op.f("ix_match_verdicts_right_offer_id"), table_name="match_verdicts")
    op.drop_table("match_verdicts")
    op.drop_index(op.f("ix_match_reviews_right_offer_id"), table_name="match_reviews")
    op.drop_index(
        "ix_match_reviews_open", table_name="match_reviews", postgresql_where=sa.text("settled_at is null")
    )
    op.drop_table("match_reviews")
    op.drop_index(op.f("ix_match_links_other_offer_id"), table_name="match_links")
    op.drop_table("match_links")
    op.drop_index(op.f("ix_hand_offs_store_id"), table_name="hand_offs")
    op.drop_table("hand_offs")
    op.drop_index(op.f("ix_cart_lines_product_id"), table_name="cart_lines")
    op.drop_table("cart_lines")
    op.drop_table("staged_offers")
    op.drop_index("ix_quarantined_offers_store_id_state", table_name="quarantined_offers")
    op.drop_index(op.f("ix_quarantined_offers_run_id"), table_name="quarantined_offers")
    op.drop_table("quarantined_offers")
    op.drop_index("uq_offers_store_id_external_id", table_name="offers")
    op.drop_index(op.f("ix_offers_product_id"), table_name="offers")
    op.drop_index(
        "ix_offers_pending", table_name="offers", postgresql_where=sa.text("match_state = 'pending'")
    )
    op.drop_table("offers")
    op.drop_index(op.f("ix_checkouts_cart_id"), table_name="checkouts")
    op.drop_table("checkouts")
    op.drop_table("sign_in_links")
    op.drop_index(
        "uq_runs_store_id_running", table_name="runs", postgresql_where=sa.text("state = 'running'")
    )
    op.drop_index("ix_runs_store_id_started_at", table_name="runs")
    op.drop_table("runs")
    op.drop_index(
        "ix_probes_open", table_name="probes", postgresql_where=sa.text("state in ('waiting', 'running')")
    )
    op.drop_table("probes")
    op.drop_index(op.f("ix_carts_account_id"), table_name="carts")
    op.drop_table("carts")
    op.drop_table("audit_log")
    op.drop_index(op.f("ix_account_sessions_account_id"), table_name="account_sessions")
    op.drop_table("account_sessions")
    op.drop_table("account_roles")
    op.drop_index(op.f("ix_stores_next_crawl_at"), table_name="stores")
    op.drop_table("stores")
    op.drop_table("rate_limits")
    op.drop_index("ix_products_store_ids", table_name="products", postgresql_using="gin")
    op.drop_index("ix_products_search_vector", table_name="products", postgresql_using="gin")
    op.drop_index(op.f("ix_products_gtin"), table_name="products")
    op.drop_index("ix_products_category", table_name="products")
    op.drop_index("ix_products_brand", table_name="products")
    op.drop_table("products")
    op.drop_table("accounts")
