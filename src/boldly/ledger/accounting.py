"""What a budget admits: sums of whole numbers, so that nothing is ever lost or refused by rounding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from boldly.errors import BudgetSpent, InvalidInput
from boldly.ledger.protocol import Budget, Spent
from boldly.types import Abstention, BothBad, Failure, Preference, Provenance, Tie, Verdict

BILLION = 1_000_000_000


def billionths(price: float) -> int:
    """A price in billionths of its currency, rounded to the nearest.

    Raises `InvalidInput` for a price that is negative or not finite.
    """
    if not 0.0 <= price < float("inf"):
        raise InvalidInput(f"a price is a finite number of at least 0, got {price!r}.")
    return round(price * BILLION)


def check_price(bound: float, price: float) -> None:
    """Raise `InvalidInput` for a price above the bound that was reserved."""
    if billionths(price) > billionths(bound):
        raise InvalidInput(
            f"it was reserved at {bound!r} at most and can't be settled at {price!r}; reserve it with a bound that "
            "holds."
        )


def check_call(query_id: str, attempt: tuple[float, Sequence[float]] | None, bound: float) -> None:
    """Raise `InvalidInput` for a call that no open attempt at the query covers.

    `attempt` is the bound of the newest open attempt and what each of its calls has cost or may cost.
    """
    if attempt is None:
        raise InvalidInput(f"query {query_id!r} has no open attempt that a call could belong to; `reserve` one first.")
    reserved, costs = attempt
    if sum(map(billionths, costs)) + billionths(bound) > billionths(reserved):
        raise InvalidInput(
            f"a call of at most {bound!r} doesn't fit into the attempt, reserved at {reserved!r}, of which "
            f"{sum(costs)!r} is used; reserve another attempt."
        )


def check_correction(query_id: str, verdict: Verdict, *, labelled: bool) -> None:
    """Raise `InvalidInput` for a verdict that can't count in place of a label's."""
    if not labelled:
        raise InvalidInput(f"query {query_id!r} has no label that could be corrected; `tell` what its oracle says.")
    if isinstance(verdict, Failure):
        raise InvalidInput(f"{verdict} can't correct a label; withdraw it with `Abstention()`.")


def check_budget(spent: Spent, bound: float, budget: Budget) -> None:
    """Raise `BudgetSpent` where one more attempt of at most `bound` would overshoot."""
    Totals(preferences=spent.labels, open=spent.open, settled=billionths(spent.money)).reserve(bound, budget)


@dataclass(frozen=True, slots=True)
class Totals:
    """The running totals of one account; `settled` and `reserved` are money in billionths."""

    preferences: int = 0
    ties: int = 0
    both_bad: int = 0
    abstentions: int = 0
    surplus: int = 0
    recorded: int = 0
    self_made: int = 0
    failed: int = 0
    unknown: int = 0
    open: int = 0
    settled: int = 0
    reserved: int = 0

    @property
    def labels(self) -> int:
        return self.preferences + self.ties + self.both_bad + self.abstentions

    def reserve(self, bound: float, budget: Budget) -> "Totals":
        """The totals with one more open attempt. Raises `BudgetSpent` where it would overshoot."""
        if budget.labels is not None and self.labels + self.open + 1 > budget.labels:
            raise BudgetSpent(
                f"the next label would overshoot the budget of {budget.labels} labels "
                f"({self.labels} bought, {self.open} being asked); allow more labels and resume."
            )
        cost, held = billionths(bound), self.settled + self.reserved
        if budget.money is not None and held + cost > billionths(budget.money):
            raise BudgetSpent(
                f"the next label may cost {bound:g} and would overshoot the budget of {budget.money:g} "
                f"({held / BILLION:g} spent or reserved); allow more money and resume."
            )
        return replace(self, open=self.open + 1, reserved=self.reserved + cost)

    def settle(
        self,
        bound: float,
        price: float,
        verdict: Verdict | None,
        *,
        surplus: bool = False,
        provenance: Provenance = "bought",
    ) -> "Totals":
        """The totals with an open attempt settled; a verdict of None is unknown."""
        check_price(bound, price)
        counted = {
            Preference: "preferences",
            Tie: "ties",
            BothBad: "both_bad",
            Abstention: "abstentions",
            Failure: "failed",
            type(None): "unknown",
        }[type(verdict)]
        answered = counted not in ("failed", "unknown")
        return replace(
            self,
            open=self.open - 1,
            reserved=self.reserved - billionths(bound),
            settled=self.settled + billionths(price),
            surplus=self.surplus + surplus,
            recorded=self.recorded + (answered and provenance == "recorded"),
            self_made=self.self_made + (answered and provenance == "self_made"),
            **{counted: getattr(self, counted) + 1},
        )

    @property
    def spent(self) -> Spent:
        return Spent(
            labels=self.labels,
            preferences=self.preferences,
            ties=self.ties,
            both_bad=self.both_bad,
            abstentions=self.abstentions,
            surplus=self.surplus,
            recorded=self.recorded,
            self_made=self.self_made,
            failed=self.failed,
            unknown=self.unknown,
            open=self.open,
            money=(self.settled + self.reserved) / BILLION,
        )
