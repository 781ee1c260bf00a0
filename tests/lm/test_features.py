import pytest
import torch

from boldly.lm import score
from boldly.lm.features import features
from boldly.lm.pack import Group

EOS = 2
GROUPS = [
    Group((1, 3, 50, EOS, 4), ((9, 10, EOS), (9, 11, 12, 13, 14, 15, EOS), (14,))),
    Group((1, 40), ((20, 21, 22, 23, 24),)),
]


def by_hand(lm, prompt, response):
    """The row of one response, from one unpadded sequence and the module's own output."""
    with torch.no_grad():
        output = lm.module(torch.tensor([[*prompt, *response]]))
        words = lm.module.get_input_embeddings()(torch.tensor(response))
    log_p = output.logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    chosen = log_p[range(len(response)), list(response)]
    surprise = sorted((-chosen).tolist(), reverse=True)
    regret = sorted((log_p.max(-1).values - chosen).tolist(), reverse=True)
    numbers = [
        *(surprise + [0.0] * 4)[:4],
        *(regret + [0.0] * 4)[:4],
        chosen.mean().item(),
        len(response) / 10,
    ]
    numbers = [min(12.0, max(-12.0, number)) for number in numbers]
    return torch.tensor([*words.mean(0).tolist(), *numbers]), chosen.sum().item()


@pytest.mark.parametrize("lora", [None, 0.3])
def test_features_are_what_their_definition_says(language_model, any_kind, lora):
    lm = language_model(any_kind, lora=lora)
    found = features(lm, GROUPS, batch_tokens=30)
    rows = [by_hand(lm, group.prompt, response) for group in GROUPS for response in group.responses]
    assert found.values.dtype == torch.float32
    assert found.values.shape == (4, 16 + 10)
    torch.testing.assert_close(found.values, torch.stack([row for row, _ in rows]), atol=1e-4, rtol=1e-4)
    assert found.log_probs.tolist() == pytest.approx([total for _, total in rows], rel=1e-4)


def test_surprise_is_clipped(language_model):
    lm = language_model()
    with torch.no_grad():
        lm.module.lm_head.weight.mul_(1000)
    numbers = features(lm, GROUPS, batch_tokens=100).values[:, -10:]
    assert numbers.abs().max() == 12
    torch.testing.assert_close(numbers[0], by_hand(lm, GROUPS[0].prompt, GROUPS[0].responses[0])[0][-10:])


@pytest.mark.parametrize(("batch_tokens", "chunk"), [(1, 2**24), (20, 700), (10**6, 1)])
def test_batches_and_chunks_change_nothing(language_model, any_kind, monkeypatch, batch_tokens, chunk):
    lm = language_model(any_kind, dtype=torch.float64)
    whole = features(lm, GROUPS, batch_tokens=10**6)
    monkeypatch.setattr(score, "CHUNK_LOGITS", chunk)
    again = features(lm, GROUPS[::-1], batch_tokens=batch_tokens)
    torch.testing.assert_close(again.values[[1, 2, 3, 0]], whole.values, atol=1e-6, rtol=1e-6)


def test_no_dropout_and_no_gradient(language_model):
    lm = language_model("gpt2", dropout=0.5)
    quiet = features(lm, GROUPS, batch_tokens=100)
    lm.module.train()
    again = features(lm, GROUPS, batch_tokens=100)
    assert torch.equal(again.values, quiet.values)
    assert not again.values.requires_grad
    assert not again.log_probs.requires_grad
    assert lm.module.training


def test_nothing_to_describe(language_model):
    assert features(language_model(), [], batch_tokens=100).values.shape == (0, 26)
