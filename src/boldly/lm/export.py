"""The model that a run ends with: a Hugging Face directory with its card."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from peft import PeftModel

from boldly.lm.archive import DiskArchive
from boldly.lm.card import Card, render
from boldly.lm.checkpoint import remove_litter, writing
from boldly.lm.files import adapter_of, write_policy
from boldly.lm.policy import LMPolicy


def write_model(archive: DiskArchive, t: int, destination: Path, *, merge: bool, card: Card) -> Path:
    """Write iterate t as `destination`, whole or not at all, in place of an earlier export.

    A full model is written as such, an adapter as peft writes one or, with `merge`, as the full model it makes of its
    base. Raises `StorageError` if there is anything but an earlier export at `destination`, or if the disk fails.
    """
    policy = archive[t]
    if policy.lm.adapter and merge:
        policy = merged(policy)
    library = "peft" if policy.lm.adapter else "transformers"
    remove_litter(destination.parent, destination.name)
    facts = {"iterate": t, "name": f"iterate-{t}", "recipe": card.recipe, "seed": card.seed}
    with writing(destination, facts=facts, replace=True) as folder:
        write_policy(policy, folder)
        (folder / "README.md").write_text(render(card, library), encoding="utf-8")
    return destination


@torch.no_grad()
def merged(policy: LMPolicy) -> LMPolicy:
    """The policy with its adapter multiplied out into the weights of a module of its own: W + (alpha / rank) B A."""
    module = deepcopy(policy.lm.module)
    assert isinstance(module, PeftModel)
    parameters = dict(module.named_parameters())
    for name, weight in adapter_of(policy).weights.items():
        parameters[name].copy_(weight)
    return replace(policy, adapter=None, lm=replace(policy.lm, module=module.merge_and_unload(), adapter=False))
