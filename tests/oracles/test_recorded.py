"""The oracle that answers by records."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from boldly.errors import OracleError
from boldly.oracles.recorded import Recorded, recorded
from boldly.records import Record
from boldly.testing import OracleContract, query, swapped
from boldly.testing.oracle_contract import queries
from boldly.types import Abstention, BothBad, Failure, Message, Preference, Prompt, Tie, Verdict


def record(place: int, verdict: Verdict, a: str = "aaa", b: str = "b", **facts: object) -> Record:
    return Record(Prompt(f"prompt {place}"), a, b, verdict, "ann", facts, f"/home/ann/x.jsonl:{place}")


def verdict_on(oracle: Recorded, place: int = 0, *, turned: bool = False) -> Verdict:
    asked = swapped(query(place)) if turned else query(place)
    (said,) = oracle([asked])
    return said.verdict


@cache
def two_on_each(seed: int) -> Recorded:
    """Two records about each of the contract's queries; it is never changed by asking, so one serves all."""
    verdicts = (Preference(1.0), Preference(0.25), Tie())
    records = [
        record(place, verdicts[(place + extra) % 3], each.a.text, each.b.text)
        for place, each in enumerate(queries(1000))
        for extra in range(2)
    ]
    return Recorded(records, seed=seed)


class TestContract(OracleContract):
    def make(self, seed: int) -> Recorded:
        return two_on_each(seed)


@pytest.mark.parametrize("verdict", [Preference(0.75), Tie(), BothBad(), Abstention()])
def test_a_pair_is_answered_in_either_order(verdict: Verdict):
    oracle = Recorded([record(0, verdict, order="ab")])
    (said,) = oracle([swapped(query(0))])
    assert verdict_on(oracle) == verdict
    assert said.verdict == (Preference(0.25) if isinstance(verdict, Preference) else verdict)
    assert (said.price, said.provenance, oracle.bound(said.query)) == (0.0, "recorded", 0.0)
    assert said.facts == {"order": "ba", "source": "ann", "place": "x.jsonl:0"}


def test_facts_of_the_prompt_and_space_make_no_difference():
    chat = Prompt((Message("user", "prompt 0"),), {"answer": 3})
    assert verdict_on(Recorded([Record(chat, " aaa\n", "b", Tie())])) == Tie()


def test_what_is_not_recorded_is_a_failure():
    oracle = Recorded([record(0, Tie()), record(2, Tie(), "aaa", "aaa")])
    assert verdict_on(oracle, 1) == Failure("not in the record")
    (said,) = oracle([query(2, a="aaa", b="aaa")])
    assert isinstance(said.verdict, Failure)


def test_of_several_verdicts_each_query_draws_one_whoever_asks_and_when():
    """1,000 draws of three equally likely records: outside 5 deviations of 15 less than once in 10^6 seeds."""
    records = [record(0, verdict) for verdict in (Preference(1.0), Preference(0.0), Tie())]
    oracle = Recorded(records, seed=3)
    asked = [query(0, round=round) for round in range(1000)]
    told = [said.verdict for said in oracle(asked)]
    assert all(abs(count - 1000 / 3) < 75 for count in Counter(told).values())
    assert [said.verdict for one in asked[500:] for said in Recorded(records, seed=3)([one])] == told[500:]
    assert [said.verdict for said in Recorded(records, seed=4)(asked)] != told


def test_a_file_answers(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"prompt": "prompt 0", "chosen": "b", "rejected": "aaa"}\n')
    oracle = recorded(source=str(path))
    assert (verdict_on(oracle), verdict_on(oracle, turned=True)) == (Preference(0.0), Preference(1.0))
    assert (oracle.name, oracle.reward, len(oracle.records)) == ("recorded:x.jsonl", None, 1)


def test_a_run_is_pointed_to_its_flag(tmp_path: Path):
    for source in (str(tmp_path), "labels.sqlite", "postgresql://me@host/labels"):
        with pytest.raises(OracleError, match="boldly run --labels"):
            recorded(source=source)
