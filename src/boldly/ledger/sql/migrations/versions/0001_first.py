"""Schema 1: the first released one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "prompts",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(20), nullable=False, unique=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("prompt", sa.Integer, sa.ForeignKey("prompts.number"), nullable=False),
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tokens", sa.LargeBinary, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("log_prob", sa.Double),
        sa.Column("sampled_log_prob", sa.Double),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.UniqueConstraint("prompt", "id"),
    )
    op.create_table(
        "queries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(20), nullable=False, unique=True),
        sa.Column("account", sa.String(20), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("prompt", sa.Integer, sa.ForeignKey("prompts.number"), nullable=False),
        sa.Column("a", sa.Integer, sa.ForeignKey("responses.number"), nullable=False),
        sa.Column("b", sa.Integer, sa.ForeignKey("responses.number"), nullable=False),
        sa.Column("explore", sa.Integer, sa.ForeignKey("responses.number")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("query", sa.Integer, sa.ForeignKey("queries.number"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("bound", sa.Double, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.UniqueConstraint("query", "number"),
    )
    op.create_table(
        "verdicts",
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("probability", sa.Double),
        sa.Column("reason", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("price", sa.Double, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
    )
    op.create_table(
        "labels",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("query", sa.Integer, sa.ForeignKey("queries.number"), nullable=False, unique=True),
        sa.Column("attempt", sa.Integer, sa.ForeignKey("verdicts.attempt"), nullable=False, unique=True),
    )
    counts = ("preferences", "ties", "both_bad", "abstentions", "surplus", "failed", "open")
    accounts = op.create_table(
        "accounts",
        sa.Column("name", sa.String(20), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in counts),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "log_probs",
        sa.Column("policy", sa.Text, primary_key=True),
        sa.Column("prompt", sa.String(20), primary_key=True),
        sa.Column("response", sa.String(20), primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.create_table(
        "steps",
        sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("taken", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "iterates",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.bulk_insert(meta, [{"key": "schema", "value": "1"}])
    nothing = dict.fromkeys((*counts, "settled", "reserved"), 0)
    op.bulk_insert(accounts, [{"name": name, **nothing} for name in ("training", "evaluation")])
