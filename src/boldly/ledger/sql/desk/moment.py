"""One transaction at the desk: what is known at its beginning, and what the budgets admit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from boldly.errors import BudgetSpent
from boldly.ledger.accounting import Totals, billionths
from boldly.ledger.sql import spending
from boldly.ledger.sql.desk import leasing
from boldly.ledger.sql.desk.clock import Instant
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.queue import Asked, Queue, read_asked
from boldly.ledger.sql.desk.votes import Played
from boldly.ledger.sql.desk.words import Annotator, Order, Rules
from boldly.ledger.sql.mirror import Mirror
from boldly.types import Account, Query


@dataclass(slots=True)
class Moment:
    """A person at the desk, within one transaction, which may be one that `writes`.

    `done` are the queries that the person has answered in it, `skipped` those that they skipped.
    """

    connection: Connection
    rules: Rules
    queue: Queue
    mirror: Mirror
    now: Instant
    person: Annotator
    writes: bool
    done: set[int] = field(default_factory=set[int])
    skipped: set[int] = field(default_factory=set[int])
    _leases: list[Held] | None = None

    def leases(self) -> list[Held]:
        """The leases that stand, of everybody, the oldest first; where it writes, those that expired are released."""
        if self._leases is None:
            known, now = self.queue.leases.values(), self.now
            self._leases = [held for held in known if held.stands(now)]
            if self.writes and len(self._leases) < len(known):
                self.end([held.token for held in known if not held.stands(now)])
        return self._leases

    def held(self) -> list[Held]:
        """The leases of this person that stand."""
        return [each for each in self.leases() if each.annotator == self.person.number]

    def off(self, query: int) -> None:
        """Take a query off the person's page."""
        mine = query, self.person.number
        self._leases = [held for held in self.leases() if (held.query, held.annotator) != mine]
        leasing.done(self.connection, *mine, self.queue.change)

    def end(self, tokens: Collection[str]) -> None:
        """Release leases."""
        leasing.end(self.connection, tokens, self.queue.change)

    def give(self, query: int, order: Order) -> Held:
        """Put a query on the person's page."""
        seconds = self.rules.lease_seconds
        person, change = self.person.number, self.queue.change
        return leasing.given(self.connection, query, person, order, self.now, seconds, change)

    def query(self, number: int) -> Query:
        return self.mirror.query(self.connection, number)

    def asked(self, number: int) -> Asked:
        """A query and what was done with it."""
        return self.queue.waiting(number) or self.queue.withdrawn.get(number) or read_asked(self.connection, number)

    def overlap(self, asked: Asked) -> int:
        """How many people's answers make its label."""
        return self.rules.overlap if asked.place >= 0 or asked.owner is None else 1

    def cost(self, asked: Asked) -> float:
        """The most that the next answer of somebody new adds to what is reserved."""
        price = self.rules.price(asked.account)
        return price if self.queue.waiting(asked.number) is None else price * self.overlap(asked)

    def promised(self, account: Account, *, beside: int | None = None) -> list[float]:
        """What the answers may add that are on somebody's page, query by query, but for one."""
        costs: dict[int, float] = {}
        for held in self.leases():
            if held.query in self.done or held.query == beside:
                continue
            asked = self.queue.waiting(held.query) or self.queue.withdrawn.get(held.query)
            if asked is not None and asked.account == account and self._pays(asked, held.annotator):
                costs[held.query] = self.cost(asked)
        return [*costs.values()]

    def due(self, asked: Asked, annotator: int) -> bool:
        """Whether the answer of a person is to be paid: not where one was, or where all are for nothing."""
        return annotator not in (asked.played.paid if self.rules.price(asked.account) else asked.played.voted)

    def _pays(self, asked: Asked, annotator: int) -> bool:
        """Whether the answer of a person reserves anything in the budget."""
        return self.due(asked, annotator) if self.queue.waiting(asked.number) is None else not asked.played.voted

    def ripe(self, asked: Asked, played: Played) -> bool:
        """Whether a query that waits has the votes of its label: as many as it takes stand, or so many were given, and
        nobody who took theirs back has it on their page.
        """
        wanted = self.overlap(asked)
        if played.settled or len(played.voted) < wanted:
            return False
        if len(played.standing) >= wanted:
            return True
        return not any(held.query == asked.number and held.annotator in played.voted for held in self.leases())

    def all_ripe(self) -> list[Asked]:
        """The queries that wait for nobody's vote any more, as who took one back is gone, or fewer are wanted now."""
        return [asked for asked in self.queue.open.values() if self.ripe(asked, asked.played)]

    def admits(self, asked: Asked) -> bool:
        """Whether the budget holds for an answer to this query beside all that are on somebody's page."""
        if not self._pays(asked, self.person.number):
            return True
        most = self.rules.price(asked.account) * self.rules.overlap
        if self.fits(asked.account, [most] * (len(self.leases()) + 1)):
            return True
        return self.fits(asked.account, [*self.promised(asked.account, beside=asked.number), self.cost(asked)])

    def fits(self, account: Account, costs: Sequence[float]) -> bool:
        """Whether the budget of an account holds for so many more labels at so much each."""
        *others, last = costs
        totals = self.totals(account)
        held = totals.reserved + sum(map(billionths, others))
        try:
            replace(totals, open=totals.open + len(others), reserved=held).reserve(last, self.rules.budget(account))
        except BudgetSpent:
            return False
        return True

    def totals(self, account: Account) -> Totals:
        return spending.totals_of(self.connection, account)

    def taken(self) -> Mapping[int, list[Held]]:
        """The leases that stand, by their query."""
        taken: dict[int, list[Held]] = {}
        for held in self.leases():
            taken.setdefault(held.query, []).append(held)
        return taken
