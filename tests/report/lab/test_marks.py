from boldly.lab.experiments import Finding
from boldly.report.lab import mark_of, tally
from boldly.report.lab.marks import key_figures


def finding(holds: bool | None, *, undecided: bool = False) -> Finding:
    return Finding("id", "title", "claim", "verdict", holds, undecided=undecided)


def test_every_claim_has_its_word():
    assert [mark_of(finding(holds)) for holds in (True, False, None)] == ["holds", "does not hold", "measured"]


def test_claims_are_counted():
    assert tally([finding(holds) for holds in (True, None, False, True, None)]) == "2 hold, 1 does not hold, 2 measured"
    assert tally([finding(False)] * 2) == "2 do not hold"
    assert tally([finding(True)]) == "1 holds"
    assert tally([]) == "no findings"


def test_what_was_not_decided_is_no_measurement_without_a_claim():
    findings = [finding(True), finding(None, undecided=True), finding(None)]
    assert [mark_of(each) for each in findings] == ["holds", "not decided", "measured"]
    assert tally(findings) == "1 holds, 1 not decided, 1 measured"
    assert [(each.label, each.value) for each in key_figures(findings)] == [
        ("Claims that hold", "1 of 1"),
        ("Not decided", "1"),
        ("Measured", "1"),
    ]
    assert key_figures([]) == []
