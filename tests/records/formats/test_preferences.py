"""TRL, UltraFeedback and HH: examples of their own documentation and data."""

from typing import Any

import pytest

from boldly.records import FORMATS, BadRow
from boldly.types import Message, Preference, Tie, Verdict

SKY = [{"role": "user", "content": "What color is the sky?"}]
BLUE = [{"role": "assistant", "content": "It is blue."}]
GREEN = [{"role": "assistant", "content": "It is green."}]
ASKED = (Message("user", "What color is the sky?"),)


def read(name: str, row: dict[str, Any]) -> list[tuple[Any, str, str, Verdict]]:
    assert next(key for key, each in FORMATS.items() if each.fits(row)) == name
    return [(each.prompt.content, each.a, each.b, each.verdict) for each in FORMATS[name].read(row)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}, ("The sky is", " blue.", " green.")),
        ({"chosen": "The sky is blue.", "rejected": "The sky is green."}, ("The sky is", " blue.", " green.")),
        ({"chosen": "ab", "rejected": "abc"}, ("a", "b", "bc")),
        ({"prompt": SKY, "chosen": BLUE, "rejected": GREEN}, (ASKED, "It is blue.", "It is green.")),
        ({"chosen": SKY + BLUE, "rejected": SKY + GREEN}, (ASKED, "It is blue.", "It is green.")),
        ({"chosen": SKY + BLUE, "rejected": SKY + BLUE}, (ASKED, "It is blue.", "It is blue.")),
        ({"prompt": SKY, "chosen": "It is blue.", "rejected": "It is green."}, (ASKED, "It is blue.", "It is green.")),
    ],
)
def test_trl_rows_as_its_documentation_defines_them(row: dict[str, Any], expected: tuple[Any, str, str]):
    assert read("trl", row) == [(*expected, Preference(1.0))]
    assert read("trl", row | {"p_chosen": 0.75}) == [(*expected, Preference(0.75))]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"chosen": "blue", "rejected": "green"}, "no beginning in common.*write `prompt`"),
        ({"chosen": BLUE, "rejected": GREEN}, "no message in common"),
        ({"prompt": SKY, "chosen": BLUE, "rejected": "green"}, "one of `chosen` and `rejected` is text"),
        ({"prompt": SKY, "chosen": SKY + BLUE, "rejected": GREEN}, "user, assistant after what the two have in common"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "`prompt` is empty"),
        ({"prompt": "p", "chosen": 1, "rejected": "b"}, "`chosen` is a number where text is needed"),
        ({"prompt": "p", "chosen": "a", "rejected": None}, "`rejected` is null"),
        ({"prompt": "p", "chosen": "a", "rejected": "b", "p_chosen": 1.5}, "`p_chosen` is 1.5"),
        ({"prompt": "p", "chosen": "a", "rejected": "b", "p_chosen": "x"}, "`p_chosen` is 'x' where a number"),
        ({"prompt": [{"role": "user"}], "chosen": "a", "rejected": "b"}, "`prompt` holds a message that is no role"),
    ],
)
def test_a_trl_row_that_can_not_be_read_says_why(row: dict[str, Any], why: str):
    with pytest.raises(BadRow, match=why):
        FORMATS["trl"].read(row)


def test_messages_in_parts_are_joined():
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    row = {"prompt": parts, "chosen": "x", "rejected": "y"}
    assert read("trl", row)[0][0] == (Message("user", "ab"),)


@pytest.mark.parametrize(("scores", "verdict"), [((8.0, 6.5), Preference(1.0)), ((7.0, 7.0), Tie())])
def test_ultrafeedback_binarized_reads_equal_scores_as_ties(scores: tuple[float, float], verdict: Verdict):
    row = {
        "prompt": "What color is the sky?",
        "prompt_id": "f00",
        "chosen": SKY + BLUE,
        "rejected": SKY + GREEN,
        "messages": SKY + BLUE,
        "score_chosen": scores[0],
        "score_rejected": scores[1],
    }
    assert read("ultrafeedback", row) == [(ASKED, "It is blue.", "It is green.", verdict)]
    with pytest.raises(BadRow, match="below `score_rejected`"):
        FORMATS["ultrafeedback"].read(row | {"score_rejected": 9})


def test_ultrafeedback_pairs_its_completions_by_the_mean_of_their_ratings():
    def completion(text: str, *ratings: str) -> dict[str, Any]:
        aspects = {f"aspect{i}": {"Rating": rating} for i, rating in enumerate(ratings)}
        return {"model": "m", "response": text, "annotations": aspects, "overall_score": 10.0}

    row = {
        "instruction": "p",
        "completions": [completion("x", "1", "2"), completion("y", "5", "N/A"), completion("z", "1.5")],
    }
    assert read("ultrafeedback", row) == [
        ("p", "x", "y", Preference(0.0)),
        ("p", "x", "z", Tie()),
        ("p", "y", "z", Preference(1.0)),
    ]


def test_hh_transcripts_have_their_last_turn_as_response():
    before = "\n\nHuman: Hi\n\nAssistant: Hello,\n\nhow are you? Human: no turn\n\nHuman: Why?"
    row = {"chosen": f"{before}\n\nAssistant: Because.", "rejected": f"{before}\n\nAssistant:"}
    turns = (
        Message("user", "Hi"),
        Message("assistant", "Hello,\n\nhow are you? Human: no turn"),
        Message("user", "Why?"),
    )
    assert read("hh", row) == [(turns, "Because.", "", Preference(1.0))]


@pytest.mark.parametrize(
    ("chosen", "rejected", "why"),
    [
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: c\n\nAssistant: b", "part before the last turn"),
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c", "\n\nHuman: a\n\nAssistant: b", "ends with the assistant's turn"),
    ],
)
def test_an_hh_row_that_can_not_be_read_says_why(chosen: str, rejected: str, why: str):
    with pytest.raises(BadRow, match=why):
        FORMATS["hh"].read({"chosen": chosen, "rejected": rejected})
