"""From the looks at a pair to one verdict."""

from boldly.oracles.judge.reading import Declined, Read, Said, Unreadable
from boldly.types import Abstention, Failure, Preference, Tie, Verdict

_NEAR = 1e-9


def preference_of_a(said: Said, order: str) -> float:
    """The probability that `a` is better, by a look that showed it first ("ab") or second ("ba")."""
    return said.p if order == "ab" else 1.0 - said.p


def combined(looks: dict[str, Read]) -> Verdict:
    """The verdict of one look or of both, by order.

    Probabilities are averaged. Letters count only where both looks agree: any disagreement is a tie. So a judge that
    always says the same letter says nothing. A look that can't be read makes a failure, one that was declined an
    abstention.
    """
    for read in looks.values():
        if isinstance(read, Unreadable):
            return Failure(read.reason)
    if any(isinstance(read, Declined) for read in looks.values()):
        return Abstention()
    said = {order: read for order, read in looks.items() if isinstance(read, Said)}
    ps = [preference_of_a(read, order) for order, read in said.items()]
    if not all(read.soft for read in said.values()) and any(p != ps[0] for p in ps):
        return Tie()
    mean = sum(ps) / len(ps)
    return Tie() if abs(mean - 0.5) < _NEAR else Preference(mean)


def flipped(looks: dict[str, Read]) -> bool | None:
    """Whether the two orders preferred different responses; None where there are not two verdicts."""
    ps = [preference_of_a(read, order) for order, read in looks.items() if isinstance(read, Said)]
    return (ps[0] - 0.5) * (ps[1] - 0.5) < 0.0 if len(ps) == 2 else None
