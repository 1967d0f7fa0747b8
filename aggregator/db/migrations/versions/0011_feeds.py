"""Pages: feeds, which are asked for conditionally, too"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_pages_kind"), "pages", type_="check")
    op.create_check_constraint(op.f("ck_pages_kind"), "pages", "kind in ('page', 'sitemap', 'feed')")


def downgrade() -> None:
    op.execute("delete from pages where kind = 'feed'")
    op.drop_constraint(op.f("ck_pages_kind"), "pages", type_="check")
    op.create_check_constraint(op.f("ck_pages_kind"), "pages", "kind in ('page', 'sitemap')")
