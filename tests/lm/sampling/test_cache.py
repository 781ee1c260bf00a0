import pytest
import torch
from transformers import Cache, DynamicCache

from boldly.lm.network import network, next_logits
from boldly.lm.sampling.cache import Handed, Slots, prompt_cache


def states(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_slots_hold_what_each_row_would_hold_alone():
    """Rows of prompts of two lengths enter, are written to, leave and are followed by others: by concatenation."""
    prompts = DynamicCache()
    prompts.update(states(2, 3, 4, 5, seed=1), states(2, 3, 4, 5, seed=2), 0)
    padding = torch.tensor([0, 3])
    slots = Slots(prompts, padding, slots=4, capacity=9)
    (layer,) = prompts.layers
    rows = []

    def begin(prompt):
        return [t[prompt, :, padding[prompt] :] for t in (layer.keys, layer.values)]

    for step, (entering, stay) in enumerate([([0, 1, 1], [0, 1, 2]), ([0], [3, 1]), ([1, 0], [0, 1, 2, 3]), ([], [3])]):
        if entering:
            slots.enter(torch.tensor(entering))
            rows += map(begin, entering)
        slots.keep(torch.tensor(stay))
        rows = [rows[i] for i in stay]
        visible = slots.step()
        new = [states(len(rows), 3, 1, 5, seed=10 * step + i) for i in (1, 2)]
        rows = [
            [torch.cat([old, add[i]], dim=1) for old, add in zip(row, new, strict=True)] for i, row in enumerate(rows)
        ]
        seen = slots.cache.update(*new, 0)
        for i, row in enumerate(rows):
            for held, expected in zip(seen, row, strict=True):
                assert torch.equal(held[i][:, visible[i, 0]], expected)
        assert visible.shape[2] == seen[0].shape[2] == max(row[0].shape[1] for row in rows)
        assert bool(seen[1].isfinite().all())


@pytest.mark.parametrize("then", ["llama", "gpt2", "mistral-sliding"])
def test_the_prompts_cache_is_left_alone(language_model, then):
    net = network(language_model(then))
    cache = prompt_cache(net)
    tokens = torch.tensor([[1, 5, 6, 7, 8, 9, 10], [1, 15, 16, 17, 18, 19, 20]])
    positions = torch.arange(7)[None].expand(2, -1)

    def rows():
        return Slots(cache, torch.tensor([0, 0]), 3, 9) if net.shares else Handed(cache)

    def step(rows, token, place):
        positions = torch.full((len(token), 1), place)
        return next_logits(net, token[:, None], visible=rows.step(), positions=positions, cache=rows.cache)

    with torch.no_grad():
        next_logits(net, tokens, visible=None, positions=positions, cache=cache)
        one = rows()
        one.enter(torch.tensor([0, 0, 1]))
        step(one, torch.tensor([30, 31, 32]), 7)
        two = rows()
        two.enter(torch.tensor([1, 0]))
        answer = step(two, torch.tensor([40, 41]), 7)
        whole = torch.cat([tokens[[1, 0]], torch.tensor([[40], [41]])], dim=1)
        expected = net.causal(whole).logits[:, -1]
    assert isinstance(cache, Cache)
    assert cache.get_seq_length() == 7
    torch.testing.assert_close(answer, expected, atol=1e-4, rtol=1e-4)
