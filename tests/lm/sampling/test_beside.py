from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch
from peft import LoraConfig, get_peft_model

from boldly.lm.model import Generation
from boldly.lm.network import network
from boldly.lm.sampling import Voice, beside, sample
from boldly.lm.weights import AdapterWeights, taken, worn

EOS = 2
PROMPTS = [(1, 3, 50, EOS, 4), (1, 40), (1, 3, 60, 61, 62, 63, EOS, 3, 70, EOS, 4)]
PLAIN = Generation(max_tokens=9, engine="plain")


def other(module, seed=5):
    """Another adapter of the same module, as far from it as from the base."""
    generator = torch.Generator().manual_seed(seed)
    own = taken(module)
    return AdapterWeights(
        {name: 0.3 * torch.randn(w.shape, generator=generator, dtype=w.dtype) for name, w in own.weights.items()}, False
    )


def voices(lm):
    """The live adapter, another one, and the base."""
    worns = nullcontext, partial(worn, lm.module, other(lm.module)), lm.module.disable_adapter
    return [Voice(lm, n, torch.Generator().manual_seed(n), own) for n, own in zip((3, 1, 2), worns, strict=True)]


def passes(lm):
    """The positions that each forward of the body pushes through the model."""
    calls = []
    network(lm).body.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return calls


@pytest.mark.parametrize("batch_tokens", [10**6, 130])
def test_adapters_in_one_batch_draw_what_each_draws_alone(language_model, any_kind, batch_tokens):
    lm = replace(language_model(any_kind, dtype=torch.float64, lora=0.3), end_tokens=(EOS, *range(5, 60)))
    generation = replace(PLAIN, batch_tokens=batch_tokens)
    before = taken(lm.module).weights
    together = sample(voices(lm), PROMPTS, generation=generation)
    alone = [sample([voice], PROMPTS, generation=generation)[0] for voice in voices(lm)]
    assert [[len(row) for row in rows] for rows in together] == [[3] * 3, [1] * 3, [2] * 3]
    for rows, expected in zip(together, alone, strict=True):
        for row, own in zip(rows, expected, strict=True):
            assert [r.tokens for r in row] == [r.tokens for r in own]
            assert [r.log_prob for r in row] == pytest.approx([r.log_prob for r in own], abs=1e-9)
    after = taken(lm.module).weights
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft 0.21 asks transformers by a deprecated name
def test_an_adapter_of_the_output_layer(language_model):
    """Which is applied to the last states alone, without an axis of places."""
    lm = language_model(dtype=torch.float64)
    config = LoraConfig(r=2, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM", init_lora_weights=False)
    lm = replace(lm, module=get_peft_model(lm.module, config, autocast_adapter_dtype=False).eval(), adapter=True)
    assert beside.fits(lm)
    together = sample(voices(lm), PROMPTS, generation=PLAIN)
    assert together != [together[0]] * 3
    for rows, voice in zip(together, voices(lm), strict=True):
        (expected,) = sample([voice], PROMPTS, generation=PLAIN)
        assert [[r.tokens for r in row] for row in rows] == [[r.tokens for r in row] for row in expected]


def test_all_policies_share_each_pass(language_model):
    """One reading of the prompts of all three, and one step for the rows of all three."""
    lm = replace(language_model(lora=0.3), end_tokens=(10**6,))
    beside.fits(lm)
    calls = passes(lm)
    sample(voices(lm), PROMPTS[:2], generation=PLAIN)
    assert calls == [(6, 5)] + [(12, 1)] * 8


def test_an_adapter_that_changes_nothing_costs_no_product(language_model):
    lm = language_model(lora=0.0)
    with beside.side_by_side(lm.module, [lm.module.disable_adapter] * 2):
        assert not any(part._forward_hooks for part in lm.module.modules())


def test_the_module_is_itself_again(language_model):
    lm = language_model(lora=0.3)
    tokens = torch.tensor([[1, 5, 6]])
    expected = lm.module(tokens).logits
    policies = [nullcontext, lm.module.disable_adapter]
    with pytest.raises(RuntimeError, match="in the middle"), beside.side_by_side(lm.module, policies):
        raise RuntimeError("in the middle")
    assert torch.equal(lm.module(tokens).logits, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_row_has_the_logits_of_its_own_adapter(language_model, kind, dtype):
    lm = language_model(kind, dtype=dtype, lora=0.3)
    tokens = torch.tensor([[1, 5, 6], [1, 7, 8]])
    worns = [nullcontext, partial(worn, lm.module, other(lm.module)), lm.module.disable_adapter]
    with torch.no_grad():
        alone = []
        for own in worns:
            with own():
                alone.append(lm.module(tokens).logits)
        with beside.side_by_side(lm.module, worns) as wear:
            for first, second in ((0, 1), (2, 0), (1, 2)):
                wear(torch.tensor([first, second]))
                expected = torch.stack([alone[first][0], alone[second][1]])
                near = 1e-4 if dtype == torch.float32 else 0.1
                torch.testing.assert_close(lm.module(tokens).logits, expected, atol=near, rtol=near)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft 0.21 asks transformers by a deprecated name
def test_what_is_no_plain_adapter_is_written_in_turn(language_model):
    """Adapters with a norm of their own, of the embedding, and models of their own."""
    assert beside.fits(language_model(lora=0.3))
    assert not beside.fits(language_model())
    for kinds in ({"use_dora": True}, {"target_modules": ["q_proj", "embed_tokens"]}, {"lora_bias": True}):
        lm = language_model("qwen2")  # whose query projection has a bias
        config = LoraConfig(**{"r": 2, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"} | kinds)
        lm = replace(lm, module=get_peft_model(lm.module, config).eval(), adapter=True)
        assert not beside.fits(lm)
        one, two = sample(
            [Voice(lm, 1, torch.Generator().manual_seed(0)), Voice(lm, 1, torch.Generator().manual_seed(0))],
            PROMPTS,
            generation=PLAIN,
        )
        assert one == two


def test_a_layer_that_does_not_see_whole_rows_is_written_in_turn(language_model):
    """As an expert does, which gets the tokens that were sent to it, of whichever rows."""
    lm = language_model(lora=0.3)
    layer = lm.module.get_base_model().model.layers[0].mlp
    plain = layer.forward
    layer.forward = lambda states: plain(states.flatten(0, 1).flip(0)).flip(0).view_as(states)
    assert not beside.fits(lm)
