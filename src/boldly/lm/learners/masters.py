"""Float32 weights behind parameters of lower precision, so that no update is lost in rounding."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Masters:
    """What an optimiser moves in place of trained parameters: float32 masters of bfloat16 and float16 ones.

    A bfloat16 weight w swallows an update below |w| / 512; its master keeps it, and w is always the rounded master.
    Gradients are summed over micro-batches in float32. Parameters of 32 bits and more are their own masters.
    """

    trained: tuple[nn.Parameter, ...]
    moved: tuple[nn.Parameter, ...]

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Each gradient goes to the master as soon as it is there, and leaves no copy on the parameter."""
        for p, _ in self._apart():
            p.grad = None
        hooks = [p.register_post_accumulate_grad_hook(partial(_hand_over, master)) for p, master in self._apart()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def round(self) -> None:
        """The parameters as their masters are now."""
        for p, master in self._apart():
            p.copy_(master)

    def state(self, names: Sequence[str]) -> dict[str, Tensor]:
        """A copy of the masters that are not the parameters themselves, on the CPU."""
        pairs = zip(names, self.trained, self.moved, strict=True)
        return {f"{name}/master": m.detach().to("cpu", copy=True) for name, p, m in pairs if m is not p}

    def _apart(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        return ((p, m) for p, m in zip(self.trained, self.moved, strict=True) if m is not p)


def masters(named: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor]) -> Masters:
    """Masters of `named`, as they are in `saved` (see `Masters.state`) where they round to the parameters as they are.

    Without one, or where the parameter was changed since, a master begins as the parameter.
    """
    return Masters(tuple(named.values()), tuple(_master(p, saved.get(f"{name}/master")) for name, p in named.items()))


def _master(p: nn.Parameter, kept: Tensor | None) -> nn.Parameter:
    if p.dtype.itemsize >= torch.float32.itemsize:
        return p
    own = p.detach()
    if kept is not None and torch.equal(kept.to(own), own):
        return nn.Parameter(kept.to(own.device, torch.float32, copy=True))
    return nn.Parameter(own.float())


def _hand_over(master: nn.Parameter, p: Tensor) -> None:
    assert p.grad is not None
    if master.grad is None:
        master.grad = p.grad.float()
    else:
        master.grad.add_(p.grad)
    p.grad = None
