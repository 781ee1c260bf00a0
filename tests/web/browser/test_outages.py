"""Every answer is a label once, whether the server is killed or the network gone."""

from typing import Any

import pytest

from boldly.types import BothBad, Tie
from tests.support.visits import until
from tests.web.browser.labels import done, said, verdicts

sync_api = pytest.importorskip("playwright.sync_api")


def test_an_answer_survives_a_server_that_was_killed_with_its_pair_on_screen(serve: Any, visit: Any):
    served = serve()
    ann = visit(served)
    ann.sees(0)
    expected = said("2", ann.left())
    served.kill()
    ann.press("2", "1")
    banner = ann.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    (kept,) = ann.kept()
    assert kept["choice"] == "right"
    assert ann.page.locator("#prompt").inner_text() != ""
    served.again()
    ann.sees(1)
    assert banner.is_hidden()
    assert ann.kept() == []
    assert verdicts(served) == {0: expected}

    served.kill()
    ann.press("9")
    until(ann.kept)
    ann.page.close()
    served.again()
    ann.page = ann.tab()
    ann.sees(2)
    assert ann.kept() == []
    assert verdicts(served) == {0: expected, 1: BothBad()}
    assert [outcome for _, outcome in done(served)] == ["label", "label"]
    ann.clean()


def test_a_server_that_dies_around_the_commit_makes_one_label(serve: Any, visit: Any):
    served = serve(dies="before")
    ann = visit(served)
    ann.sees(0)
    expected = said("1", ann.left())
    ann.press("1")
    served.died()
    assert done(served) == []
    served.again(dies="after")
    served.died()
    assert done(served) == [("prefer", "label")]
    assert len(ann.kept()) == 1
    served.again()
    ann.sees(1)
    assert ann.kept() == []
    assert verdicts(served) == {0: expected}
    assert done(served) == [("prefer", "label")]
    with served.reader() as ledger:
        assert (ledger.spent().labels, ledger.spent().money) == (1, 0.5)
    ann.clean()


def test_a_network_that_is_gone_for_a_while_loses_nothing_and_doubles_nothing(serve: Any, visit: Any, gateway: Any):
    served = serve()
    between = gateway(served)
    ann = visit(served, link=served.link().replace(served.url, between.url))
    banner = ann.page.locator("#banner")
    ann.sees(0)
    between.mode = "shut"
    ann.press("0")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    until(lambda: between.refused >= 2)
    assert done(served) == []
    between.mode = "lossy"
    until(lambda: between.lost >= 2)
    assert len(ann.kept()) == 1
    between.mode = "open"
    ann.sees(1)
    assert banner.is_hidden()
    ann.context.set_offline(True)
    ann.press("9")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    ann.context.set_offline(False)
    ann.sees(2)
    assert banner.is_hidden()
    assert ann.kept() == []
    assert verdicts(served) == {0: Tie(), 1: BothBad()}
    assert done(served) == [("tie", "label"), ("both_bad", "label")]
    ann.clean()
