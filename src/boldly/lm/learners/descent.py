"""Steps of AdamW that are taken whole or not at all."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from boldly.learner import StepReport
from boldly.lm.memory import within_memory
from boldly.objectives import Loss

log = logging.getLogger(__name__)

Losses = Callable[[int], Iterable[Loss]]


@dataclass(slots=True)
class Descent:
    """AdamW with gradient clipping over the trainable parameters of a module.

    A step whose loss or gradient is not finite is not taken and leaves no trace. One that doesn't fit into memory is
    tried again in micro-batches of half the tokens, with the same rows and so the same gradient. No weight decay: the
    pull to the reference is the objective's.
    """

    learning_rate: float
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    batch_tokens: int = 16384
    _optimiser: torch.optim.AdamW | None = field(default=None, init=False)
    _names: list[str] = field(default_factory=list, init=False)
    _saved: Mapping[str, Tensor] = field(default_factory=dict, init=False)

    def step(self, module: torch.nn.Module, losses: Losses, labels: tuple[int, ...], rate: float = 1.0) -> StepReport:
        """One step on the sum of `losses(batch_tokens)`, which are micro-batches that share one weighted mean.

        `labels` are the places in the ledger of the labels that the step consumes, `rate` scales the learning rate.
        """
        optimiser = self._prepared(module)
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        for group in optimiser.param_groups:
            group["lr"] = self.learning_rate * rate
        preference, bonus = self._accumulate(optimiser, losses)
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        report = StepReport(labels, preference, bonus, float(norm), self._fault(preference, bonus, float(norm)))
        if report.taken:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.clip, norm)
            optimiser.step()
        else:
            log.warning("step not taken, weights unchanged: %s, on labels %s", report.reason, list(labels))
        optimiser.zero_grad(set_to_none=True)
        return report

    def _accumulate(self, optimiser: torch.optim.AdamW, losses: Losses) -> tuple[float, float]:
        def accumulated(batch_tokens: int) -> tuple[float, float]:
            self.batch_tokens = batch_tokens
            optimiser.zero_grad(set_to_none=True)
            preference, bonus = 0.0, 0.0
            for loss in losses(batch_tokens):
                loss.total.backward()
                preference += float(loss.preference.detach())
                bonus += float(loss.bonus.detach())
            return preference, bonus

        return within_memory(accumulated, self.batch_tokens, what="one prompt with its responses, while training,")

    @staticmethod
    def _fault(preference: float, bonus: float, norm: float) -> str:
        for what, value in (("loss", preference), ("bonus", bonus), ("gradient norm", norm)):
            if not abs(value) < float("inf"):
                return f"the {what} is {value}"
        return ""

    def _prepared(self, module: torch.nn.Module) -> torch.optim.AdamW:
        if self._optimiser is None:
            named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
            self._names = [name for name, _ in named]
            self._optimiser = torch.optim.AdamW(
                [p for _, p in named], lr=self.learning_rate, betas=self.betas, weight_decay=0.0
            )
            self._resume(self._optimiser)
        return self._optimiser

    def _resume(self, optimiser: torch.optim.AdamW) -> None:
        if not self._saved:
            return
        state = {
            i: {key: self._saved[f"{name}/{key}"].clone() for key in ("step", "exp_avg", "exp_avg_sq")}
            for i, name in enumerate(self._names)
            if f"{name}/step" in self._saved
        }
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})

    def state(self) -> dict[str, Tensor]:
        """A copy of the moments of every parameter, by its name, on the CPU."""
        if self._optimiser is None:
            return dict(self._saved)
        state = self._optimiser.state_dict()["state"]
        return {
            f"{self._names[i]}/{key}": value.to("cpu", copy=True)
            for i, row in state.items()
            for key, value in row.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._saved, self._optimiser = dict(state), None
