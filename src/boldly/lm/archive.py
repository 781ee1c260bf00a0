"""The iterates of a run on disk: `boldly.loop.Archive` for language models."""

import hashlib
import logging
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from boldly.errors import BoldlyError, StorageError
from boldly.lm.candidates import read_candidates, write_candidates
from boldly.lm.checkpoint import (
    Manifest,
    name_of,
    newest_complete,
    numbers,
    read,
    remove_litter,
    require_space,
    software,
    verify,
    writing,
)
from boldly.lm.files import adapter_of, read_adapter, write_policy
from boldly.lm.load import read_module
from boldly.lm.policy import LMPolicy
from boldly.policy import Policy
from boldly.types import Candidates

log = logging.getLogger(__name__)

LEARNER = "learner.safetensors"
CANDIDATES = "candidates.jsonl"

_LEARNERS_KEPT = 2
_ADAPTERS_IN_MEMORY = 16
_MODULES_IN_MEMORY = 2


@dataclass(slots=True)
class DiskArchive:
    """Iterates as numbered Hugging Face directories in `root`; number 0 is the base, which needs none.

    `live` is the policy of the run as it was loaded, before any learning or `restore`. Iterate t >= 1 holds the weights
    (of the adapter alone where there is one), the tokenizer, the candidates of round t - 1 that led to it and, for the
    newest two, the learner's state. Making an archive changes nothing on disk; `restore` and `keep` do, and are for the
    one process that runs the run.
    """

    root: Path
    live: LMPolicy
    _base: LMPolicy | None = field(default=None, init=False)
    _fingerprint: str = field(default="", init=False)
    _newest: int = field(default=0, init=False)
    _damaged: dict[int, str] = field(default_factory=dict, init=False)
    _recent: OrderedDict[int, LMPolicy] = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        if self.live.lm.adapter:
            self._base = self.live.freeze("iterate-0")
        self._fingerprint = fingerprint(self.live.lm.directory)
        newest, self._damaged = newest_complete(self.root)
        self._newest = newest or 0
        for number, reason in self._damaged.items():
            log.warning("iterate %d is passed over: %s", number, reason)

    def __len__(self) -> int:
        return self._newest + 1

    def __getitem__(self, t: int, /) -> LMPolicy:
        """The frozen policy `iterate-t`, read when it is first asked for. Raises `StorageError` if it is damaged."""
        if not 0 <= t <= self._newest:
            raise IndexError(f"there is no iterate {t}, the newest is {self._newest}")
        if t == 0:
            if self._base is None:
                self._base = self._frozen(self.live.lm.directory, 0)
            return self._base
        if t not in self._recent:
            self._verified(t)
            self._recent[t] = self._frozen(self.folder(t), t)
        self._recent.move_to_end(t)
        while len(self._recent) > (_ADAPTERS_IN_MEMORY if self.live.lm.adapter else _MODULES_IN_MEMORY):
            self._recent.popitem(last=False)
        return self._recent[t]

    def folder(self, t: int) -> Path:
        """Where iterate t >= 1 lies."""
        return self.root / name_of(t)

    def keep(
        self,
        policy: Policy,
        *,
        state: Mapping[str, Tensor],
        candidates: Sequence[Candidates],
        facts: Mapping[str, object],
    ) -> None:
        """Write iterate number `len(self)`, whole or not at all; an older learner state goes once it is durable.

        `facts` end up in its manifest. Raises `StorageError` where the disk fails, is full or soon would be, and
        `BoldlyError` for weights that are not finite.
        """
        assert isinstance(policy, LMPolicy)
        t = len(self)
        _refuse_non_finite(policy, t)
        if self._newest:
            require_space(self.root, read(self.folder(self._newest)).size)
        about = {"iterate": t, "name": policy.name, "base": self._fingerprint, "facts": dict(facts)}
        with writing(self.folder(t), facts=about, droppable=frozenset({LEARNER})) as folder:
            write_policy(policy, folder)
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, folder / LEARNER)
            write_candidates(candidates, folder / CANDIDATES)
        self._newest = t
        self._drop_learner(t - _LEARNERS_KEPT)

    def restore(self) -> tuple[int, dict[str, Tensor]]:
        """Put the newest complete iterate into the live module; its number, and the learner's state that led to it.

        What crashed writes left is taken away, and a damaged newer iterate is moved aside (`0003.damaged-...`).
        """
        remove_litter(self.root)
        for number in self._damaged:
            aside = self.folder(number).with_name(f"{name_of(number)}.damaged-{uuid.uuid4().hex[:8]}")
            self.folder(number).rename(aside)
            log.warning("iterate %d lies in %s now; going on from iterate %d", number, aside, self._newest)
        self._damaged = {}
        if not self._newest:
            return 0, {}
        self._verified(self._newest)
        for number in numbers(self.root):
            if number <= self._newest - _LEARNERS_KEPT:
                self._drop_learner(number)
        folder = self.folder(self._newest)
        if changed := self._upgraded():
            log.warning("%s was written with %s: the run goes on, maybe not to the same last bit", folder, changed)
        self._wear(folder)
        if not (folder / LEARNER).exists():
            log.warning("%s has no learner state any more: the optimiser starts afresh", folder)
            return self._newest, {}
        return self._newest, load_file(folder / LEARNER)

    def _upgraded(self) -> str:
        """Which packages have another version than when the newest iterate was written."""
        written, now = self.manifest(self._newest).software, software()
        named = [f"{name} {written[name]} (now {now[name]})" for name in written if written[name] != now.get(name)]
        return ", ".join(named)

    def candidates(self, t: int) -> list[Candidates]:
        """The candidates of round t, exactly as they were kept."""
        self._verified(t + 1)
        return read_candidates(self.folder(t + 1) / CANDIDATES)

    def manifest(self, t: int) -> Manifest:
        """What was written with iterate t >= 1; its files are not looked at."""
        return read(self.folder(t))

    def _verified(self, t: int) -> None:
        manifest = verify(self.folder(t))
        if manifest.facts["base"] != self._fingerprint:
            raise StorageError(
                f"{self.folder(t)} was trained from other weights than {self.live.lm.directory} has; "
                f"write `model: PATH` with the base it was trained from."
            )

    def _frozen(self, folder: Path, t: int) -> LMPolicy:
        lm, name = self.live.lm, f"iterate-{t}"
        if isinstance(lm.module, PeftModel):
            return replace(self.live, name=name, frozen=True, adapter=read_adapter(lm.module, folder))
        module = read_module(
            folder, dtype=lm.module.dtype, device=lm.device, attention=lm.module.config._attn_implementation
        )
        return replace(self.live, name=name, frozen=True, lm=replace(lm, module=module.requires_grad_(False)))

    @torch.no_grad()
    def _wear(self, folder: Path) -> None:
        module = self.live.lm.module
        if isinstance(module, PeftModel):
            parameters = dict(module.named_parameters())
            for name, weight in read_adapter(module, folder).weights.items():
                parameters[name].copy_(weight)
        else:
            written = read_module(folder, dtype=module.dtype, device=torch.device("cpu"))
            module.load_state_dict(written.state_dict())

    def _drop_learner(self, number: int) -> None:
        (self.folder(number) / LEARNER).unlink(missing_ok=True)


def fingerprint(directory: Path) -> str:
    """SHA-256 of the weights of a model directory: names and bytes of its safetensors files."""
    digest = hashlib.sha256()
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _refuse_non_finite(policy: LMPolicy, t: int) -> None:
    tensors = adapter_of(policy).weights if policy.lm.adapter else policy.lm.module.state_dict()
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BoldlyError(
                f"{name} is not finite after training, so iterate {t} is not kept; write a smaller `learning_rate`."
            )
