from boldly.metrics import OUTCOMES, bought
from boldly.types import Abstention, BothBad, Label, Preference, Prompt, Query, Response, Tie


def test_a_round_is_counted_by_what_its_queries_came_to():
    said = [Response(text, (i,), "iterate-0", -1.0, -1.0) for i, text in enumerate("ab")]
    queries = [Query(Prompt("p"), *said, round=0, place=i) for i in range(6)]
    verdicts = [Preference(1.0), Preference(0.3), Tie(), BothBad(), Abstention()]
    labels = [Label(i, queries[i], verdict, "oracle", 0.0, "") for i, verdict in enumerate(verdicts)]
    counts = bought(queries, labels, attempts=8)
    assert tuple(counts) == OUTCOMES
    assert tuple(counts.values()) == (2, 1, 1, 1, 3, 1)
    assert sum(counts[name] for name in OUTCOMES[:4]) == len(labels)
