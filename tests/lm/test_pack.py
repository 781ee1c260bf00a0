import pytest
import torch

from boldly.lm.pack import Group, fill, group, lay_out, room, split

ROWS = [Group((7, 8), ((1, 2, 3), (4,))), Group((9,), ((5, 6),))]


def test_a_layout_says_who_stands_where_and_who_predicts_whom():
    layout = lay_out(ROWS, pad=0, device=torch.device("cpu"))
    assert layout.tokens.tolist() == [[7, 8, 1, 2, 3, 4], [9, 5, 6, 0, 0, 0]]
    assert layout.positions.tolist() == [[0, 1, 2, 3, 4, 2], [0, 1, 2, 0, 0, 0]]
    assert layout.segments.tolist() == [[0, 0, 1, 1, 1, 2], [0, 1, 1, -1, -1, -1]]
    assert layout.targets.tolist() == [1, 2, 3, 4, 5, 6]
    assert layout.predictors.tolist() == [1, 2, 3, 1, 6, 7]
    assert layout.owners.tolist() == [0, 0, 0, 1, 2, 2]
    assert layout.lengths.tolist() == [3, 1, 2]
    assert layout.joined


def test_a_response_sees_its_prompt_and_itself_so_far():
    visible = lay_out(ROWS, pad=0, device=torch.device("cpu")).visible.int().tolist()
    assert visible[0] == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
    assert all(any(query) for query in visible[1]), "a query that sees nothing makes a softmax of nothing"


def test_an_empty_response_predicts_nothing():
    layout = lay_out([Group((7,), ((), (1,)))], pad=0, device=torch.device("cpu"))
    assert layout.lengths.tolist() == [0, 1]
    assert layout.predictors.tolist() == [0]
    assert layout.owners.tolist() == [1]


def test_runs_of_equal_prompts_are_groups():
    assert group([[1], [1], (2,), (1,)], [(5,), (6,), (7,), (8,)]) == [
        Group((1,), ((5,), (6,))),
        Group((2,), ((7,),)),
        Group((1,), ((8,),)),
    ]


def test_splitting_keeps_every_response_in_order_and_fills_the_room():
    whole = Group((1, 2), ((1,) * 3, (2,) * 4, (3,) * 9, (4,), (5,)))
    assert [tuple(map(len, row.responses)) for row in split(whole, 7)] == [(3, 4), (9,), (1, 1)]
    assert [tuple(map(len, row.responses)) for row in split(whole, 0)] == [(3,), (4,), (9,), (1,), (1,)]
    assert split(whole, 10**6) == [whole]


@pytest.mark.parametrize(("prompt", "hidden", "length"), [(20, 96, 12), (200, 2048, 300), (1000, 4096, 100)])
def test_the_room_is_the_cheapest(prompt, hidden, length):
    """Against a search over the number of responses in a row: none is cheaper but for the rounding."""

    def cost(k):
        row = prompt + k * length
        return (6 * hidden * row + row**2) / k

    k = max(1, round(room(prompt, hidden) / length))
    assert cost(k) <= 1.02 * min(cost(k) for k in range(1, 200))


def test_batches_hold_their_tokens_and_everything_once():
    rows = [[Group((0,) * p, ((1,) * r,))] * n for p, r, n in [(3, 4, 1), (30, 2, 2), (5, 5, 3), (1, 1, 1), (9, 9, 2)]]
    batches = fill(rows, 60)
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    widths = [len(entry[0].prompt) + len(entry[0].responses[0]) for entry in rows]
    for batch in batches:
        tokens = sum(len(rows[i]) for i in batch) * max(widths[i] for i in batch)
        assert tokens <= 60 or len(batch) == 1
    assert len(batches) < len(rows)
