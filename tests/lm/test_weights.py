import pytest
import torch

from boldly.lm.weights import averaged, taken, worn

TOKENS = torch.tensor([[1, 5, 6, 7]])


def logits(lm):
    with torch.no_grad():
        return lm.module(TOKENS).logits


def trained(lm):
    return {name: p for name, p in lm.module.named_parameters() if p.requires_grad}


def shift(lm):
    with torch.no_grad():
        for parameter in trained(lm).values():
            parameter.add_(0.3)


@pytest.mark.parametrize("lora", [0.0, 0.3])
def test_worn_weights_answer_as_they_did_when_they_were_taken(language_model, kind, lora):
    lm = language_model(kind, lora=lora)
    before, kept = logits(lm), taken(lm.module)
    assert kept.identity == (lora == 0.0)
    shift(lm)
    after = logits(lm)
    assert not torch.allclose(before, after, atol=1e-2)
    with worn(lm.module, kept):
        torch.testing.assert_close(logits(lm), before)
    assert torch.equal(logits(lm), after)


def test_the_identity_is_the_base_model(language_model):
    lm = language_model(lora=0.0)
    base = logits(language_model())
    kept = taken(lm.module)
    shift(lm)
    with worn(lm.module, kept):
        assert torch.equal(logits(lm), base)


@pytest.mark.parametrize("lora", [0.0, 0.3])
def test_the_live_adapter_comes_back_untouched_and_goes_on_training(language_model, lora):
    """Also where the use of the other weights fails, and between a forward and its backward."""
    lm = language_model(lora=lora, dtype=torch.float64)
    kept = taken(lm.module)
    shift(lm)
    own = {name: (p, p.data_ptr(), p.detach().clone()) for name, p in trained(lm).items()}
    lm.module(TOKENS).logits.sum().backward()
    expected = {name: p.grad.clone() for name, p in trained(lm).items()}
    lm.module.zero_grad()
    loss = lm.module(TOKENS).logits.sum()
    with pytest.raises(ZeroDivisionError), worn(lm.module, kept):
        _ = 1 / 0
    loss.backward()
    for name, parameter in trained(lm).items():
        same, address, value = own[name]
        assert parameter is same
        assert parameter.data_ptr() == address
        assert torch.equal(parameter, value)
        torch.testing.assert_close(parameter.grad, expected[name])


def test_the_mean_of_two_adapters(language_model):
    lm = language_model(lora=0.0)
    first = taken(lm.module)
    shift(lm)
    second = taken(lm.module)
    mean = averaged(first, second, 0.25)
    for name, weight in mean.weights.items():
        torch.testing.assert_close(weight, 0.75 * first.weights[name] + 0.25 * second.weights[name])
    assert not mean.identity
    assert averaged(first, second, 0.0).identity
