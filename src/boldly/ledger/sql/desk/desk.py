"""The desk: who may answer, which pair is on whose page, and what becomes of what they choose."""

from collections.abc import Callable, Collection
from typing import TypeVar

from sqlalchemy import Connection

from boldly.ledger.sql.desk import annotators, buying, choosing, clock, leasing, reading, undoing
from boldly.ledger.sql.desk.clock import Clock
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.picking import pick
from boldly.ledger.sql.desk.queue import Queue
from boldly.ledger.sql.desk.votes import Vote
from boldly.ledger.sql.desk.words import Action, Annotator, Choice, Lease, Receipt, Rules, Tally, Turn
from boldly.ledger.sql.ledger import SqlLedger
from boldly.ledger.sql.mirror import Mirror

T = TypeVar("T")
_TEXTS = 2000
MOST_LEASES = 3
"""Pairs that one person is given at once: on the screen, the one after it, and one more."""


class Desk:
    """Hands the queries of a run to people and takes their answers.

    Every method is one transaction, durable when it returns, and may be called from many threads; many processes may
    serve one ledger. No query is on two pages at once, but where the rules want several people to answer it. Methods
    that are given an annotator or a token raise `InvalidInput` where the annotator's link was revoked or the token is
    not theirs, and all raise `StorageError` as the ledger does.
    """

    def __init__(self, ledger: SqlLedger, rules: Rules, *, clock: Clock = clock.clock) -> None:
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._queue = Queue(rules.accounts)
        self._mirror = Mirror()
        self._moments = 0

    def annotators(self) -> tuple[Annotator, ...]:
        """Everybody who was ever admitted."""
        return self._ledger.read(annotators.everyone)

    def annotator(self, number: int) -> Annotator | None:
        """The annotator with this number."""
        return self._ledger.read(lambda connection: annotators.numbered(connection, number))

    def admit(self, name: str, *, owner: bool = False) -> Annotator:
        """The annotator of this name, made where there is none; one that was revoked gets the next generation.

        Raises `InvalidInput` for what is no name.
        """
        return self._ledger.write(lambda connection: annotators.admit(connection, name, owner=owner))

    def revoke(self, name: str) -> None:
        """Take a person's link away; what is on their page goes to others. What they chose stays."""
        self._ledger.write(lambda connection: annotators.revoke(connection, name))

    def lease(self, annotator: Annotator, *, holding: Collection[str] = ()) -> Lease | None:
        """The next pair for a person beside those that they hold; None where nothing waits for them.

        A pair that is on their page already and not among `holding` is given again.
        """
        if not self._read(annotator, lambda moment: _something(moment, holding)):
            return None
        return self._write(annotator, lambda moment: _next(moment, holding))

    def held(self, annotator: Annotator, tokens: Collection[str]) -> tuple[Lease, ...]:
        """Those of a person's leases that still stand, in the order of the tokens."""

        def work(moment: Moment) -> tuple[Lease, ...]:
            theirs = {held.token: held for held in moment.held()}
            return tuple(_again(moment, theirs[token]) for token in dict.fromkeys(tokens) if token in theirs)

        return self._read(annotator, work)

    def choose(
        self,
        annotator: Annotator,
        token: str,
        *,
        key: str,
        action: Action,
        seconds: float | None = None,
        strength: str | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Store what a person chose for a pair that was leased to them, whenever that was.

        The same `key` again changes nothing, and is told what became of it the first time.
        """
        return self._write(
            annotator,
            lambda moment: choosing.choose(
                moment, token, key, action, seconds=seconds, strength=strength, reason=reason
            ),
        )

    def turn(
        self,
        annotator: Annotator,
        token: str,
        *,
        key: str,
        action: Action,
        seconds: float | None = None,
        strength: str | None = None,
        reason: str | None = None,
        holding: Collection[str] = (),
    ) -> Turn:
        """`choose`, and `lease` of the next pair beside those that they hold, in one transaction."""

        def work(moment: Moment) -> Turn:
            receipt = choosing.choose(moment, token, key, action, seconds=seconds, strength=strength, reason=reason)
            return Turn(receipt, _next(moment, holding))

        return self._write(annotator, work)

    def undo(self, annotator: Annotator, *, key: str) -> Lease | None:
        """Take back the newest choice of a person whose pair nobody else has by now, and lease it to them again.

        None where there is nothing to take back.
        What was learned from it stays learned. Their next choice of the pair costs nothing.
        """

        def work(moment: Moment) -> Lease | None:
            undone = undoing.undo(moment, key)
            return None if undone is None else _lease(moment, *undone)

        return self._write(annotator, work)

    def flag(self, annotator: Annotator, token: str, *, key: str, note: str = "") -> Receipt:
        """Store that a person finds something wrong with a pair; it stays on their page."""

        def work(moment: Moment) -> Receipt:
            known = choosing.told(moment, key, "flag")
            if known is None:
                held = choosing.lease_of(moment, token)
                facts = {"note": note} if note else {}
                said = Vote("flag", None, held.order, None, facts)
                choosing.record(moment, key, held.query, said, "flagged")
            return Receipt("flagged" if known is None else known.outcome, repeated=known is not None)

        return self._write(annotator, work)

    def beat(self, annotator: Annotator, tokens: Collection[str]) -> tuple[str, ...]:
        """Extend leases that somebody has before their eyes, and return those that no longer stand."""

        def work(moment: Moment) -> tuple[str, ...]:
            standing = [held.token for held in moment.held() if held.token in tokens]
            seconds, change = moment.rules.lease_seconds, moment.queue.change
            leasing.extend(moment.connection, standing, moment.now, seconds, change)
            return tuple(token for token in dict.fromkeys(tokens) if token not in standing)

        return self._write(annotator, work)

    def release(self, annotator: Annotator, tokens: Collection[str]) -> None:
        """Give pairs back, for others to have."""

        def work(moment: Moment) -> None:
            moment.end([held.token for held in moment.held() if held.token in tokens])

        self._write(annotator, work)

    def tally(self, annotator: Annotator) -> Tally:
        """How far it got."""

        def work(connection: Connection) -> Tally:
            return reading.tally(connection, self._rules, self._synchronised(connection), annotator.number)

        return self._ledger.read(work)

    def choices(self) -> tuple[Choice, ...]:
        """Everything that people did, in the order they did it."""
        return self._ledger.read(reading.choices)

    def _read(self, annotator: Annotator, work: Callable[[Moment], T]) -> T:
        return self._ledger.read(lambda connection: work(self._moment(connection, annotator, writes=False)))

    def _write(self, annotator: Annotator, work: Callable[[Moment], T]) -> T:
        settled: set[int] = set()

        def writing(connection: Connection) -> T:
            moment = self._moment(connection, annotator, writes=True)
            settled.update(moment.queue.orphans)
            buying.settle_orphans(moment)
            if buying.settle_ripe(moment):
                moment = self._moment(connection, annotator, writes=True, anew=True)
            return work(moment)

        done = self._ledger.write(writing)
        self._queue.orphans -= settled
        return done

    def _moment(self, connection: Connection, annotator: Annotator, *, writes: bool, anew: bool = False) -> Moment:
        queue = self._synchronised(connection, anew=anew)
        person = annotators.require(connection, annotator)
        self._moments += 1
        if self._moments % _TEXTS == 0:  # what was on pages long ago is not asked for again
            self._mirror = Mirror()
        mirror = Mirror() if self._ledger.joined else self._mirror
        return Moment(connection, self._rules, queue, mirror, self._clock(connection), person, writes)

    def _synchronised(self, connection: Connection, *, anew: bool = False) -> Queue:
        """What waits, up to date. Read from the tables where what was written may be taken back: where it is to be
        `anew`, and within `together`.
        """
        queue = Queue(self._rules.accounts) if anew or self._ledger.joined else self._queue
        queue.sync(connection)
        return queue


def _something(moment: Moment, holding: Collection[str]) -> bool:
    """Whether there is a pair for the person, or may be when what waits for nobody any more is settled."""
    held = moment.held()
    if moment.all_ripe():
        return True
    return any(each.token not in holding for each in held) or (len(held) < MOST_LEASES and pick(moment) is not None)


def _next(moment: Moment, holding: Collection[str]) -> Lease | None:
    held = moment.held()
    again = [_again(moment, each) for each in held if each.token not in holding]
    if again:
        return min(again, key=lambda lease: lease.was is None)
    asked = pick(moment) if len(held) < MOST_LEASES else None
    if asked is None:
        return None
    order = leasing.order_of(moment.rules.seed, asked.id, moment.person.name)
    return _lease(
        moment,
        moment.give(asked.number, order),
        undoing.taken_back(moment, asked.number) if asked.played.voted else None,
    )


def _lease(moment: Moment, held: Held, was: Action | None) -> Lease:
    expires_in = held.expires - moment.now.seconds
    return Lease(held.token, moment.query(held.query), held.order, expires_in, was)


def _again(moment: Moment, held: Held) -> Lease:
    return _lease(moment, held, undoing.taken_back(moment, held.query))
