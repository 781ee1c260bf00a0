"""Everything that was bought so far, as rows: the history, or how often each pair was bought if those are fewer."""

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.evidence import Rows


class Purchases:
    """The labels of all repetitions. `most` is how many a repetition will have at the end.

    Pairs are counted where there are fewer of them than labels: losses are linear in the label, so a pair's mean label
    with its count as weight stands for all its rows.
    """

    def __init__(self, *, repetitions: int, prompts: int, responses: int, most: int) -> None:
        shape = (repetitions, most)
        self._bought = 0
        self._numbers = torch.zeros(3, *shape, dtype=torch.int64)
        self._labels = torch.zeros(shape, dtype=torch.float64)
        self._responses = responses
        self._pairs = prompts * responses * responses
        counted = self._pairs if self._pairs < most else 0
        self._counts = torch.zeros(repetitions, counted, dtype=torch.float64)
        self._wins = torch.zeros(repetitions, counted, dtype=torch.float64)

    def add(self, rows: Rows) -> None:
        """Add what a round bought; its rows have weight 1."""
        new = slice(self._bought, self._bought + rows.label.shape[-1])
        for place, numbers in enumerate((rows.prompt, rows.a, rows.b)):
            self._numbers[place, :, new] = numbers
        self._labels[:, new] = rows.label
        self._bought = new.stop
        if self._counts.shape[-1]:
            pair = (rows.prompt * self._responses + rows.a) * self._responses + rows.b
            self._counts.scatter_add_(-1, pair, torch.ones_like(rows.label))
            self._wins.scatter_add_(-1, pair, rows.label)

    def rows(self) -> Rows:
        """Every label so far, in the fewer rows."""
        if self._counts.shape[-1] and self._pairs < self._bought:
            return self._counted()
        prompt, a, b = self._numbers[:, :, : self._bought]
        label = self._labels[:, : self._bought]
        return Rows(prompt, a, b, label, torch.ones_like(label))

    def _counted(self) -> Rows:
        pair = torch.arange(self._pairs).expand(self._counts.shape)
        first, b = pair // self._responses, pair % self._responses
        label: Float[Tensor, "repetitions rows"] = torch.where(self._counts > 0, self._wins / self._counts, 0.5)
        return Rows(first // self._responses, first % self._responses, b, label, self._counts)
