"""The tables of a ledger. Rows are inserted and never changed, but for `accounts`, their running totals, `writers`, and
those that say who may answer what at this moment, `annotators` and `leases`, which are no facts.

Numbers count from 0 without gaps in the order of storing. Texts are JSON, which holds every string that Python does;
tokens are little-endian 32-bit integers. Log-probabilities are doubles, exact to the bit (the sign of zero is not
kept); NULL stands for one that is not known.

`event` counts reservations and settlements together, in the order in which they happened, so that what was spent at
every instant can be computed again; it and the limits of the budget in force are NULL in rows of schema 1.

`writers` tells a process that lost its connection to a server during a commit whether that commit came through: each
commit writes down its number. Files have no use for it.

`steps.labels` are the places of labels, and `[first, last]` for several in a row; before schema 4 all were written out.

`corrections` are verdicts that count in place of a label's own, the newest of them; `iterates` is how many iterates had
been kept when it was made, so that it can be told what had been learned from the verdict before. `choices` is all that
people did on the page, undone choices included: `key` is the browser's, so that a choice sent twice is stored once, and
`action` is "prefer", with the probability that `a` is better, "tie", "both_bad", "skip", "undo" or "flag". `expected`
holds what is known of the queries that were planted to see who reads them.

A lease is a query on somebody's page until `expires`, in seconds of the clock that `clock` names. `change` is the
number of the last transaction that wrote it, so that what changed since is found without reading the rest.

A change here needs a revision in `migrations/versions`, and the next `VERSION`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

VERSION = 4
APPLICATION_ID = int.from_bytes(b"bold", "big")

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

prompts = Table(
    "prompts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(20), nullable=False, unique=True),
    Column("content", Text, nullable=False),
    Column("facts", Text, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("prompt", Integer, ForeignKey(prompts.c.number), nullable=False),
    Column("id", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Column("origin", Text, nullable=False),
    Column("log_prob", Double),
    Column("sampled_log_prob", Double),
    Column("ended", Boolean, nullable=False),
    UniqueConstraint("prompt", "id"),
)

queries = Table(
    "queries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(20), nullable=False, unique=True),
    Column("account", String(20), nullable=False),
    Column("round", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("prompt", Integer, ForeignKey(prompts.c.number), nullable=False),
    Column("a", Integer, ForeignKey(responses.c.number), nullable=False),
    Column("b", Integer, ForeignKey(responses.c.number), nullable=False),
    Column("explore", Integer, ForeignKey(responses.c.number)),
    Index("ix_queries_account_round", "account", "round"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("query", Integer, ForeignKey(queries.c.number), nullable=False),
    Column("number", Integer, nullable=False),
    Column("bound", Double, nullable=False),
    Column("time", String(40), nullable=False),
    Column("holder", Text, nullable=False, server_default="run"),
    Column("metered", Boolean, nullable=False, server_default=false()),
    Column("event", Integer),
    Column("label_limit", Integer),
    Column("money_limit", Double),
    UniqueConstraint("query", "number"),
    Index("ix_attempts_event", "event", unique=True),
)

calls = Table(
    "calls",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, ForeignKey(attempts.c.id), nullable=False, index=True),
    Column("key", Text, nullable=False, index=True),
    Column("bound", Double, nullable=False),
    Column("time", String(40), nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("call", Integer, ForeignKey(calls.c.number), nullable=False, unique=True),
    Column("price", Double, nullable=False),
    Column("answer", Text),
    Column("reason", Text, nullable=False),
    Column("time", String(40), nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("attempt", Integer, ForeignKey(attempts.c.id), primary_key=True, autoincrement=False),
    Column("kind", String(20), nullable=False),
    Column("probability", Double),
    Column("reason", Text),
    Column("source", Text, nullable=False),
    Column("price", Double, nullable=False),
    Column("time", String(40), nullable=False),
    Column("provenance", String(20), nullable=False, server_default="bought"),
    Column("facts", Text, nullable=False, server_default="{}"),
    Column("event", Integer),
    Index("ix_verdicts_event", "event", unique=True),
)

labels = Table(
    "labels",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("query", Integer, ForeignKey(queries.c.number), nullable=False, unique=True),
    Column("attempt", Integer, ForeignKey(verdicts.c.attempt), nullable=False, unique=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("preferences", Integer, nullable=False),
    Column("ties", Integer, nullable=False),
    Column("both_bad", Integer, nullable=False),
    Column("abstentions", Integer, nullable=False),
    Column("surplus", Integer, nullable=False),
    Column("recorded", Integer, nullable=False, server_default="0"),
    Column("self_made", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False),
    Column("unknown", Integer, nullable=False, server_default="0"),
    Column("open", Integer, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("query", Integer, ForeignKey(labels.c.query), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("probability", Double),
    Column("source", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("iterates", Integer, nullable=False),
    Column("time", String(40), nullable=False),
)

annotators = Table(
    "annotators",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("time", String(40), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("token", String(40), primary_key=True),
    Column("query", Integer, ForeignKey(queries.c.number), nullable=False, index=True),
    Column("annotator", Integer, ForeignKey(annotators.c.number), nullable=False, index=True),
    Column("order", String(2), nullable=False),
    Column("clock", String(40), nullable=False),
    Column("expires", Double, nullable=False),
    Column("released", Boolean, nullable=False, index=True),
    Column("change", Integer, nullable=False, index=True),
    Column("time", String(40), nullable=False),
)

choices = Table(
    "choices",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("query", Integer, ForeignKey(queries.c.number), nullable=False, index=True),
    Column("annotator", Integer, ForeignKey(annotators.c.number), nullable=False, index=True),
    Column("action", String(20), nullable=False),
    Column("probability", Double),
    Column("order", String(2), nullable=False),
    Column("seconds", Double),
    Column("outcome", String(20), nullable=False),
    Column("facts", Text, nullable=False),
    Column("time", String(40), nullable=False),
)

expected = Table(
    "expected",
    metadata,
    Column("query", Integer, ForeignKey(queries.c.number), primary_key=True, autoincrement=False),
    Column("probability", Double, nullable=False),
)

log_probs = Table(
    "log_probs",
    metadata,
    Column("policy", Text, primary_key=True),
    Column("prompt", String(20), primary_key=True),
    Column("response", String(20), primary_key=True),
    Column("value", Double, nullable=False),
)

rounds = Table(
    "rounds",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("policy", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("time", String(40), nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("labels", Text, nullable=False),
    Column("taken", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)

iterates = Table(
    "iterates",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("facts", Text, nullable=False),
)

writers = Table(
    "writers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("commits", BigInteger, nullable=False),
)
