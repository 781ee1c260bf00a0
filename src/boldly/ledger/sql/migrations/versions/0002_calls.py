"""Schema 2: calls and their receipts, rounds, who holds an attempt, where a label comes from, a third account."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _tables()
    _columns()
    _totals()
    op.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")


def _tables() -> None:
    op.create_table(
        "calls",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("bound", sa.Double, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Index("ix_calls_attempt", "attempt"),
        sa.Index("ix_calls_key", "key"),
    )
    op.create_table(
        "receipts",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("call", sa.Integer, sa.ForeignKey("calls.number"), nullable=False, unique=True),
        sa.Column("price", sa.Double, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
    )
    op.create_table(
        "writers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("commits", sa.BigInteger, nullable=False),
    )


def _columns() -> None:
    op.add_column("attempts", sa.Column("holder", sa.Text, nullable=False, server_default="run"))
    op.add_column("attempts", sa.Column("metered", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("attempts", sa.Column("event", sa.Integer))
    op.add_column("attempts", sa.Column("label_limit", sa.Integer))
    op.add_column("attempts", sa.Column("money_limit", sa.Double))
    op.add_column("verdicts", sa.Column("provenance", sa.String(20), nullable=False, server_default="bought"))
    op.add_column("verdicts", sa.Column("facts", sa.Text, nullable=False, server_default="{}"))
    op.add_column("verdicts", sa.Column("event", sa.Integer))
    for name in ("recorded", "self_made", "unknown"):
        op.add_column("accounts", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_attempts_event", "attempts", ["event"], unique=True)
    op.create_index("ix_verdicts_event", "verdicts", ["event"], unique=True)
    op.create_index("ix_queries_account_round", "queries", ["account", "round"])


def _totals() -> None:
    """Unknown attempts were counted among the failed ones."""
    op.execute(
        "UPDATE accounts SET unknown = (SELECT count(*) FROM verdicts JOIN attempts ON attempts.id = verdicts.attempt"
        " JOIN queries ON queries.number = attempts.query"
        " WHERE verdicts.kind = 'unknown' AND queries.account = accounts.name)"
    )
    op.execute("UPDATE accounts SET failed = failed - unknown")
    names = "preferences, ties, both_bad, abstentions, surplus, failed, open, settled, reserved"
    op.execute(f"INSERT INTO accounts (name, {names}) VALUES ('consistency', {', '.join(['0'] * 9)})")
