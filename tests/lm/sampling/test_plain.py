import torch

from boldly.lm.sampling.plain import remaining


def test_rows_that_go_on_close_the_gaps():
    going = torch.tensor([True, False, True, False, False, True, True])
    assert remaining(going, 4).tolist() == [0, 5, 2, 6]
    assert remaining(torch.tensor([True, True]), 2).tolist() == [0, 1]
    assert remaining(torch.tensor([False, True]), 1).tolist() == [1]
