"""Schema 4: a step names labels in a row by the first and the last of them; what is stored already is read as it is."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("UPDATE meta SET value = '4' WHERE key = 'schema'")
