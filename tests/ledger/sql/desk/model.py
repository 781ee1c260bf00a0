"""The desk in plain Python: what people said and what became of it, by the rules and without a ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from boldly.types import Abstention, BothBad, Preference, Tie, Verdict

PRICE, SECONDS = 1.0, 100.0
VERDICTS: dict[str, Verdict] = {
    "a": Preference(1.0),
    "b": Preference(0.0),
    "tie": Tie(),
    "both_bad": BothBad(),
    "skip": Abstention(),
}


@dataclass
class Page:
    """A pair on somebody's page."""

    who: str
    query: str
    expires: float
    standing: bool = True


@dataclass
class Pair:
    """What was said of one query. `told` is whether it has a label."""

    said: dict[str, str] = field(default_factory=dict)
    voted: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    skips: set[str] = field(default_factory=set)
    told: bool = False
    corrected: int = 0
    cost: float = 0.0


@dataclass
class Event:
    who: str
    query: str
    action: str
    outcome: str
    undone: bool = False


@dataclass
class Model:
    """The desk in plain Python: every rule once, nothing quick."""

    overlap: int
    labels_limit: int
    money_limit: float
    now: float = 1000.0
    pairs: dict[str, Pair] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    labels: int = 0
    money: float = 0.0
    surplus: int = 0
    open: dict[str, float] = field(default_factory=dict)

    def alive(self, token: str) -> bool:
        page = self.pages[token]
        return page.standing and self.now < page.expires

    def on_page(self, who: str | None = None, query: str | None = None) -> list[str]:
        """The tokens that stand, of a person or a query."""
        return [
            token
            for token, page in self.pages.items()
            if self.alive(token) and who in (None, page.who) and query in (None, page.query)
        ]

    def withdrawn(self, query: str) -> bool:
        return self.pairs[query].told and not self.pairs[query].said

    def cost(self, query: str, who: str) -> float | None:
        """What an answer of a person adds to what is spent and reserved; None where nothing."""
        pair = self.pairs[query]
        if pair.told:
            return PRICE if self.withdrawn(query) and who not in pair.paid else None
        return None if pair.voted else PRICE * self.overlap

    def room(self, costs: Sequence[float]) -> bool:
        labels = self.labels + len(self.open) + len(costs)
        return labels <= self.labels_limit and self.money + sum(self.open.values()) + sum(costs) <= self.money_limit

    def admits(self, query: str, who: str) -> bool:
        """Whether there is room for an answer beside all that are on somebody's page."""
        own = self.cost(query, who)
        if own is None:
            return True
        promised = {
            page.query: cost
            for token in self.on_page()
            if (page := self.pages[token]).query != query and (cost := self.cost(page.query, page.who)) is not None
        }
        return self.room([own, *promised.values()])

    def available(self, who: str) -> set[str]:
        """The queries that a person may be given, were they to hold none."""
        return {query for query in self.pairs if self.free(query, who) and self.admits(query, who)}

    def free(self, query: str, who: str) -> bool:
        pair, holders = self.pairs[query], [self.pages[token].who for token in self.on_page(query=query)]
        if pair.told:
            return self.withdrawn(query) and not holders
        if who in pair.said or who in holders or self.ripe(query):
            return False
        return who in pair.voted or len(pair.voted) + len({*holders} - pair.voted) < self.overlap

    def ripe(self, query: str) -> bool:
        """Whether a label waits for nobody: all votes stand, or all were given, and nobody has theirs to give again."""
        pair, holders = self.pairs[query], {self.pages[token].who for token in self.on_page(query=query)}
        if pair.told or len(pair.voted) < self.overlap:
            return False
        return len(pair.said) >= self.overlap or not holders & pair.voted

    def settle(self, query: str) -> None:
        del self.open[query]
        self.money += self.pairs[query].cost
        self.labels += 1
        self.pairs[query].told = True

    def sweep(self) -> None:
        """What the desk does first, whoever comes."""
        for asked, pair in self.pairs.items():
            if self.ripe(asked):
                self.settle(asked)
                pair.corrected += not pair.said

    def lease(self, who: str, query: str, token: str) -> None:
        self.pages[token] = Page(who, query, self.now + SECONDS)

    def choose(self, who: str, token: str, action: str) -> str:
        self.sweep()
        page, alive = self.pages[token], self.alive(token)
        for each in self.on_page(who, page.query):
            self.pages[each].standing = False
        outcome = self._skip(who, page.query, alive) if action == "skip" else self._say(who, page.query, action, alive)
        self.events.append(Event(who, page.query, action, outcome))
        return outcome

    def _say(self, who: str, query: str, action: str, alive: bool) -> str:
        pair = self.pairs[query]
        others = {*pair.said} - {who}
        if who in pair.said and not alive:
            return "kept"
        if who in pair.voted and pair.told and len(others) >= self.overlap:
            return "kept"
        if who in pair.paid:
            return self._instead(query, who, action)
        if not alive and not self.admits(query, who) and not (pair.told and pair.said):
            return "kept"
        if pair.told:
            return self._again(pair, who, action, counts=not others or who in pair.voted, query=query, alive=alive)
        return self._vote(query, who, action, PRICE)

    def _instead(self, query: str, who: str, action: str) -> str:
        """In place of what the same person said before."""
        self._hear(self.pairs[query], who, action)
        if not self.ripe(query):
            return "corrected"
        self.settle(query)
        return "label"

    def _vote(self, query: str, who: str, action: str, price: float) -> str:
        pair = self.pairs[query]
        if query not in self.open:
            bound = PRICE * self.overlap if self.overlap > 1 else price
            if not self.room([bound]):
                return "kept"
            self.open[query] = bound
        pair.cost += min(price, (self.open[query] - pair.cost) / max(1, self.overlap - len(pair.voted)))
        pair.voted.add(who)
        if price:
            pair.paid.add(who)
        pair.said[who] = action
        if not self.ripe(query):
            return "vote"
        self.settle(query)
        return "label"

    def _again(self, pair: Pair, who: str, action: str, *, counts: bool, query: str, alive: bool) -> str:
        """An answer to a query that has a label."""
        if not alive:
            # Beside all that is on a page, whatever this query costs.
            promised = {
                page.query: cost
                for token in self.on_page()
                if (page := self.pages[token]).query != query and (cost := self.cost(page.query, page.who)) is not None
            }
            if not self.room([PRICE, *promised.values()]):
                return "kept"
        if not self.room([PRICE]):
            return self._instead(query, who, action) if who in pair.voted else "kept"
        self.labels += 1
        self.surplus += 1
        self.money += PRICE
        if not counts:
            return "surplus"
        pair.voted.add(who)
        pair.paid.add(who)
        self._hear(pair, who, action)
        return "label"

    def _skip(self, who: str, query: str, alive: bool) -> str:
        pair = self.pairs[query]
        if not alive:
            return "kept"
        active = {event.who for event in self.events} | {self.pages[token].who for token in self.on_page()}
        others = active - {who}
        everybody = self.overlap == 1 and bool(others) and others <= pair.skips
        if who in pair.skips or everybody:
            if self.withdrawn(query):
                self._hear(pair, who, "skip")
                return "corrected"
            if not pair.told and who not in pair.voted and self._vote(query, who, "skip", 0.0) != "kept":
                return "label" if pair.told else "vote"
        pair.skips.add(who)
        return "skipped"

    def _hear(self, pair: Pair, who: str, action: str) -> None:
        pair.said.pop(who, None)
        pair.said[who] = action
        pair.corrected += pair.told

    def undo(self, who: str) -> Event | None:
        """Take back the newest choice that can be, and return it; None where there is none."""
        self.sweep()
        mine = [event for event in self.events if event.who == who and not event.undone]
        mine = [event for event in mine if event.outcome in ("label", "vote", "corrected", "skipped")]
        mine = [event for event in mine if not self._gone(event.query, who, skipped=event.outcome == "skipped")]
        if not mine or len(self.on_page(who)) >= 12:
            return None
        event, pair = mine[-1], self.pairs[mine[-1].query]
        event.undone = True
        if who in pair.said:
            del pair.said[who]
            pair.corrected += pair.told
        if event.action == "skip":
            pair.skips.discard(who)
        for token in self.on_page(who, event.query):
            self.pages[token].standing = False
        self.events.append(Event(who, event.query, "undo", "unskipped" if event.action == "skip" else "undone"))
        return event

    def _gone(self, query: str, who: str, *, skipped: bool) -> bool:
        """Whether others have it, or have answered what was skipped."""
        pair = self.pairs[query]
        others = {self.pages[token].who for token in self.on_page(query=query)} - {who}
        if skipped and pair.told:
            return bool(others) or not self.withdrawn(query)
        return len((others | pair.voted if skipped else others) - {who}) >= self.overlap

    def verdict(self, query: str) -> Verdict:
        """What the label of a query says: the mean of those who prefer, unless most say otherwise."""
        said = [VERDICTS[action] for action in self.pairs[query].said.values()]
        if not said:
            return Abstention()
        if len(said) == 1:
            return said[0]
        preferred = [
            v.probability if isinstance(v, Preference) else 0.5 for v in said if v in (*VERDICTS.values(),)[:3]
        ]
        for other in (BothBad(), Abstention()):
            if 2 * said.count(other) > len(said):
                return other
        if not preferred:
            return BothBad()
        return Tie() if said == [Tie()] * len(said) else Preference(sum(preferred) / len(preferred))
