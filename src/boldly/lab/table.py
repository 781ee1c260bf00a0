"""The policies of all repetitions as one table, and the iterates of a run."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Table:
    """log pi of every repetition, in nats. To the rules of `boldly.references` it is a policy."""

    log_pi: Float[Tensor, "repetitions prompts responses"]
    name: str

    def average(self, other: "Table", weight: float, name: str) -> "Table":
        """The policy whose logits are (1 - weight) * own + weight * other's."""
        logits = (1 - weight) * self.log_pi + weight * other.log_pi
        return Table(logits - logits.logsumexp(-1, keepdim=True), name)


class Iterates:
    """The policies of a run so far by their number; without `keep` only the first and the newest are held on to."""

    def __init__(self, base: Table, *, keep: bool) -> None:
        self._tables, self._count, self._keep = {0: base}, 1, keep

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, t: int) -> Table:
        if t not in self._tables:
            raise InvalidInput(f"iterate {t} was not kept: the first and the newest of {self._count} are.")
        return self._tables[t]

    def keep(self, table: Table) -> None:
        """Add the next iterate."""
        if not self._keep and self._count > 1:
            del self._tables[self._count - 1]
        self._tables[self._count] = table
        self._count += 1
