import pytest
import torch
from transformers import DynamicCache

from boldly.lm.cache import Room, handed_out, prompt_cache
from boldly.lm.network import network, next_logits


def states(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_room_holds_what_a_growing_cache_holds():
    """Handed out to rows, written to, rows leaving, written to again: the same as concatenation and selection."""
    keys, values = states(2, 3, 4, 5, seed=1), states(2, 3, 4, 5, seed=2)
    rows = torch.tensor([0, 0, 1, 1, 1])
    room = Room(keys, values, rows, 4, 7)
    grown = [keys[rows], values[rows]]
    for step, stay in enumerate([[0, 1, 2, 3, 4], [0, 4, 2], [2, 1]]):
        room.reorder_cache(torch.tensor(stay))
        new = [states(len(stay), 3, 1, 5, seed=10 + step), states(len(stay), 3, 1, 5, seed=20 + step)]
        grown = [torch.cat([old[stay], add], dim=2) for old, add in zip(grown, new, strict=True)]
        for seen, expected in zip(room.update(*new), grown, strict=True):
            assert torch.equal(seen, expected)
        assert room.get_seq_length() == 5 + step
        assert room.get_mask_sizes(1) == (6 + step, 0)
    assert room.get_max_length() == 7


@pytest.mark.parametrize("then", ["llama", "gpt2", "mistral-sliding"])
def test_what_is_handed_out_leaves_the_prompts_cache_alone(language_model, then):
    net = network(language_model(then))
    cache = prompt_cache(net)
    tokens = torch.tensor([[1, 5, 6, 7, 8, 9, 10], [1, 15, 16, 17, 18, 19, 20]])
    positions = torch.arange(7)[None].expand(2, -1)

    def step(cache, token, place):
        positions = torch.full((len(token), 1), place)
        return next_logits(net, token[:, None], visible=None, positions=positions, cache=cache)

    with torch.no_grad():
        next_logits(net, tokens, visible=None, positions=positions, cache=cache)
        one = handed_out(net, cache, torch.tensor([0, 0, 1]), 9)
        step(one, torch.tensor([30, 31, 32]), 7)
        two = handed_out(net, cache, torch.tensor([1, 0]), 9)
        answer = step(two, torch.tensor([40, 41]), 7)
        whole = torch.cat([tokens[[1, 0]], torch.tensor([[40], [41]])], dim=1)
        expected = net.causal(whole).logits[:, -1]
    assert isinstance(cache, DynamicCache)
    assert cache.get_seq_length() == 7
    torch.testing.assert_close(answer, expected, atol=1e-4, rtol=1e-4)
