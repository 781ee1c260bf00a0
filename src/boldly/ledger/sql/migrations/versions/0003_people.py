"""Schema 3: what people do on the page, who may answer what, and verdicts that count in place of earlier ones."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _facts()
    _desk()
    op.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")


def _facts() -> None:
    op.create_table(
        "corrections",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("query", sa.Integer, sa.ForeignKey("labels.query"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("probability", sa.Double),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("iterates", sa.Integer, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Index("ix_corrections_query", "query"),
    )
    op.create_table(
        "expected",
        sa.Column("query", sa.Integer, sa.ForeignKey("queries.number"), primary_key=True, autoincrement=False),
        sa.Column("probability", sa.Double, nullable=False),
    )


def _desk() -> None:
    op.create_table(
        "annotators",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("owner", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("token", sa.String(40), primary_key=True),
        sa.Column("query", sa.Integer, sa.ForeignKey("queries.number"), nullable=False),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.number"), nullable=False),
        sa.Column("order", sa.String(2), nullable=False),
        sa.Column("clock", sa.String(40), nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("released", sa.Boolean, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Index("ix_leases_query", "query"),
        sa.Index("ix_leases_annotator", "annotator"),
        sa.Index("ix_leases_released", "released"),
        sa.Index("ix_leases_change", "change"),
    )
    op.create_table(
        "choices",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("query", sa.Integer, sa.ForeignKey("queries.number"), nullable=False),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.number"), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("probability", sa.Double),
        sa.Column("order", sa.String(2), nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Index("ix_choices_query", "query"),
        sa.Index("ix_choices_annotator", "annotator"),
    )
