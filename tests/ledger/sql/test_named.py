"""Which labels a step names comes back as it was, in little room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.ledger.json_text import dump, load
from boldly.ledger.sql.named import packed, unpacked


@given(st.lists(st.integers(0, 12)))
def test_what_was_packed_comes_back_in_its_order(labels: list[int]):
    assert unpacked(load(dump(packed(labels)))) == labels


@pytest.mark.parametrize(
    ("labels", "stored"),
    [
        ([], "[]"),
        ([4], "[4]"),
        ([4, 5], "[4,5]"),
        ([4, 5, 6], "[[4,6]]"),
        ([6, 5, 4], "[6,5,4]"),
        ([1, 2, 3, 3, 4, 5, 9, 0], "[[1,3],[3,5],9,0]"),
        (range(100_000), "[[0,99999]]"),
    ],
)
def test_labels_in_a_row_are_named_by_their_ends(labels: list[int], stored: str):
    assert dump(packed(labels)) == stored
    assert unpacked(load(stored)) == list(labels)


@pytest.mark.parametrize("stored", ["{}", "7", "null", "[1.5]", '["1"]', "[[1]]", "[[3,1]]", "[[-1,1]]", "[[1,2,3]]"])
def test_what_nobody_packed_is_refused(stored: str):
    with pytest.raises(ValueError, match=r"is no|is neither"):
        unpacked(load(stored))


def test_a_row_beyond_its_bound_takes_no_room():
    assert unpacked([[0, 9]], below=10) == list(range(10))
    with pytest.raises(ValueError, match="neither"):
        unpacked([[0, 10**18]], below=10)
