"""Steps of AdamW that are taken whole or not at all."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from boldly.learner import StepReport
from boldly.lm.learners.masters import Masters, masters
from boldly.lm.memory import micro_batch, of_one_size, within_memory
from boldly.objectives import Loss

log = logging.getLogger(__name__)

Losses = Callable[[int], Iterable[Loss]]

_FUSED = ("cpu", "cuda")
"""Devices with one kernel for the whole step, which reads and writes each number once."""


@dataclass(slots=True)
class Descent:
    """AdamW with gradient clipping over the trainable parameters of a module, or their float32 masters.

    A step is taken in micro-batches of at most `batch_tokens` tokens, those of `boldly.lm.memory.micro_batch` where it
    is None. One whose loss or gradient is not finite is not taken and leaves no trace. One that doesn't fit into memory
    is tried again in micro-batches of half the tokens, with the same rows and so the same gradient. No weight decay:
    the pull to the reference is the objective's.
    """

    learning_rate: float
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    batch_tokens: int | None = None
    _optimiser: torch.optim.AdamW | None = field(default=None, init=False)
    _masters: Masters = field(default=Masters((), ()), init=False)
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
            with of_one_size("what AdamW keeps of each trained weight"):
                optimiser.step()
            self._masters.round()
        else:
            log.warning("step not taken, weights unchanged: %s, on labels %s", report.reason, list(labels))
        optimiser.zero_grad(set_to_none=True)
        return report

    def _accumulate(self, optimiser: torch.optim.AdamW, losses: Losses) -> tuple[float, float]:
        def accumulated(batch_tokens: int) -> tuple[float, float]:
            self.batch_tokens = batch_tokens
            optimiser.zero_grad(set_to_none=True)
            preference, bonus = 0.0, 0.0
            with self._masters.gathering():
                for loss in losses(batch_tokens):
                    loss.total.backward()
                    preference += float(loss.preference.detach())
                    bonus += float(loss.bonus.detach())
            return preference, bonus

        first = self.batch_tokens or micro_batch(self._masters.moved[0].device)
        return within_memory(accumulated, first, what="one prompt with its responses, while training,")

    @staticmethod
    def _fault(preference: float, bonus: float, norm: float) -> str:
        for what, value in (("loss", preference), ("bonus", bonus), ("gradient norm", norm)):
            if not abs(value) < float("inf"):
                return f"the {what} is {value}"
        return ""

    def _prepared(self, module: torch.nn.Module) -> torch.optim.AdamW:
        if self._optimiser is None:
            named = {name: p for name, p in module.named_parameters() if p.requires_grad}
            self._names = list(named)
            self._masters = masters(named, self._saved)
            moved = self._masters.moved
            fused = all(p.device.type in _FUSED for p in moved)
            self._optimiser = torch.optim.AdamW(
                moved, lr=self.learning_rate, betas=self.betas, weight_decay=0.0, fused=fused
            )
            self._resume(self._optimiser)
            self._saved = {}
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
        """A copy of the moments of every parameter, and of its master if it has one, by its name, on the CPU."""
        if self._optimiser is None:
            return dict(self._saved)
        state = self._optimiser.state_dict()["state"]
        moments = {
            f"{self._names[i]}/{key}": value.to("cpu", copy=True)
            for i, row in state.items()
            for key, value in row.items()
        }
        return moments | self._masters.state(self._names)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._saved, self._optimiser, self._masters = dict(state), None, Masters((), ())
