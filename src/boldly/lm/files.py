"""A policy as files that Hugging Face tools load, and back."""

from copy import copy
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from boldly.errors import StorageError
from boldly.lm.policy import LMPolicy
from boldly.lm.weights import AdapterWeights, taken, worn
from boldly.pretrained import no_bars

ADAPTER = "adapter_model.safetensors"


def write_policy(policy: LMPolicy, folder: Path) -> None:
    """The weights of a policy - of the adapter alone where it has one - with its configuration and tokenizer."""
    module = policy.lm.module
    if isinstance(module, PeftModel):
        weights = adapter_of(policy).weights
        stored = {name: weights[live].detach().cpu().contiguous() for live, name in _stored_names(module).items()}
        save_file(stored, folder / ADAPTER, metadata={"format": "pt"})
        config = copy(module.peft_config["default"])
        config.inference_mode = True
        config.save_pretrained(str(folder))
    else:
        with no_bars():
            module.save_pretrained(folder)
    policy.lm.tokenizer.save_pretrained(folder)


def read_adapter(module: PeftModel, folder: Path) -> AdapterWeights:
    """The adapter in `folder`, on the device and in the dtype of the one that `module` has now.

    Raises `StorageError` if it is of another shape.
    """
    stored, names = load_file(folder / ADAPTER), _stored_names(module)
    live = dict(module.named_parameters())
    if set(stored) != set(names.values()) or any(stored[at].shape != live[name].shape for name, at in names.items()):
        raise StorageError(
            f"{folder / ADAPTER} has another shape than the run's adapter; write the `adapter:` it was trained with."
        )
    weights = {name: stored[at].to(live[name]) for name, at in names.items()}
    with worn(module, AdapterWeights(weights, identity=False)):
        return taken(module)


def adapter_of(policy: LMPolicy) -> AdapterWeights:
    """The adapter's weights of a policy that has one, frozen or live."""
    assert isinstance(policy.lm.module, PeftModel)
    return taken(policy.lm.module) if policy.adapter is None else policy.adapter


def _stored_names(module: PeftModel) -> dict[str, str]:
    """The name in peft's files of each trained parameter, by its name in the module."""
    trained: dict[str, Tensor] = {name: p for name, p in module.named_parameters() if p.requires_grad}
    by_identity = {id(tensor): name for name, tensor in trained.items()}
    stored = get_peft_model_state_dict(module, state_dict=trained, save_embedding_layers=False)
    return {by_identity[id(tensor)]: name for name, tensor in stored.items()}
