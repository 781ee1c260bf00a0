from boldly.lab.experiments import Finding
from boldly.report.lab import mark_of, tally


def finding(holds: bool | None) -> Finding:
    return Finding("id", "title", "claim", "verdict", holds)


def test_every_claim_has_its_word():
    assert [mark_of(finding(holds)) for holds in (True, False, None)] == ["holds", "does not hold", "measured"]


def test_claims_are_counted():
    assert tally([finding(holds) for holds in (True, None, False, True, None)]) == "2 hold, 1 does not hold, 2 measured"
    assert tally([finding(False)] * 2) == "2 do not hold"
    assert tally([finding(True)]) == "1 holds"
    assert tally([]) == "no findings"
