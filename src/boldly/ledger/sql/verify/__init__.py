"""`boldly verify`: the law of the ledger, checked on its rows."""

from boldly.ledger.sql.verify.auditing import Audit, Statement, audit
from boldly.ledger.sql.verify.faults import Fault, Violation, collected
from boldly.ledger.sql.verify.sentences import sentences

__all__ = ["Audit", "Fault", "Statement", "Violation", "audit", "collected", "sentences"]
