"""What an audit found, in sentences that whoever pays for the labels can follow."""

from collections.abc import Iterator
from decimal import Decimal

from boldly.ledger.accounting import BILLION
from boldly.ledger.sql.verify.auditing import Audit, Statement


def sentences(audit: Audit) -> list[str]:
    """One paragraph a line: the accounts, everything together, what is wrong, and the verdict."""
    used = [line for statement in audit.statements if _is_used(statement) for line in _account(statement)]
    return [*used, *_together(audit), *_wrong(audit)]


def money(billionths: int) -> str:
    """An amount in full, with at least two digits behind the point."""
    digits = f"{(Decimal(billionths) / BILLION).normalize():f}"
    whole, _, rest = digits.partition(".")
    return f"{whole}.{rest:<02}"


def _is_used(statement: Statement) -> bool:
    totals = statement.totals
    return bool(totals.labels or totals.failed or totals.unknown or totals.open or statement.spent)


def _account(statement: Statement) -> Iterator[str]:
    totals = statement.totals
    bought = totals.labels - totals.recorded - totals.self_made
    yield (
        f"{statement.account}: {totals.labels} answers, of which {bought} bought, {totals.recorded} reused and "
        f"{totals.self_made} self-made; {totals.surplus} of them surplus. {_missed(totals.failed, totals.unknown)}"
        f"{f'; {totals.open} open, counted as paid' if totals.open else ''}."
    )
    parts = (
        f"{money(statement.answers)} for answers + {money(statement.failures)} for failures + "
        f"{money(statement.unknown)} for unknown outcomes + {money(totals.reserved)} reserved = "
        f"{money(statement.spent)}"
    )
    if statement.spent == statement.recorded:
        yield f"  Money: {parts}, and the ledger's total is {money(statement.recorded)}: it adds up to the last cent."
    else:
        yield f"  Money: {parts}, but the ledger's total is {money(statement.recorded)}: it does NOT add up."


def _missed(failed: int, unknown: int) -> str:
    return f"{failed} attempts failed, {unknown} ended unknown"


def _together(audit: Audit) -> Iterator[str]:
    totals = [statement.totals for statement in audit.statements]
    surplus = sum(each.surplus for each in totals)
    answers = sum(each.labels for each in totals)
    spent = sum(statement.spent for statement in audit.statements)
    yield (
        f"In all: {answers} answers - {surplus} surplus = {audit.labels} labels, {audit.used} of them used in "
        f"training; {money(spent)} spent."
    )
    if audit.corrected:
        yield f"{audit.corrected} of the labels were corrected since, at no cost."
    if still := sum(each.open for each in totals):
        yield f"{still} attempts are open: if no process is working on them, the next run settles them as unknown."
    if audit.undated:
        yield f"{audit.undated} entries are from schema 1, which kept neither their order nor the budget in force."


def _wrong(audit: Audit) -> Iterator[str]:
    for violation in audit.violations:
        yield f"WRONG, {violation.count} times: {violation.rule}."
        for fault in violation.shown:
            yield f"  {fault.table} {fault.key}: {fault.what}"
        if more := violation.count - len(violation.shown):
            yield f"  and {more} more"
    if audit.ok:
        yield "Every rule of the ledger holds."
    else:
        yield f"{len(audit.violations)} rules of the ledger are broken: don't pay by it before that is explained."
