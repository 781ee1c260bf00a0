"""A server that is gone, slow or out of reach: the page says so, and every answer arrives once."""

import pytest

from tests.web.page.visits import UNKNOWN, sync_api


def test_an_answer_survives_a_server_that_was_killed_and_started_again(visit):
    page = visit()
    page.sees(0)
    page.served.stop()
    page.press("2")
    banner = page.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    assert page.page.title().startswith("Not stored yet")
    page.press("1")
    page.served.start()
    page.sees(1)
    assert banner.is_hidden()
    assert page.fake.said() == [(0, "right")]


def test_a_page_whose_server_was_stopped_says_so_with_the_pair_and_notices_its_return(visit):
    page = visit()
    page.sees(0)
    page.served.stop()
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a heartbeat at once
    banner = page.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("isn't being served at the moment")
    sync_api.expect(banner).to_contain_text("If you answer meanwhile, that is kept on this machine")
    assert page.page.title().startswith("No connection")
    assert page.page.locator("#pair").is_visible()
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_have_text(UNKNOWN)
    page.served.start()
    sync_api.expect(banner).to_be_hidden(timeout=20_000)  # long before the next heartbeat of a lease of 300 s
    page.served.stop()
    page.press("1")
    sync_api.expect(banner).to_contain_text("Your answer is kept on this machine")
    page.served.start()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


@pytest.mark.parametrize("status", [502, 429])
def test_an_answer_is_sent_again_when_something_between_fails(visit, status: int):
    page = visit()
    page.sees(0)
    page.fake.broken = status
    page.press("2")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("Nothing goes at the moment.")
    page.fake.broken = None
    page.page.get_by_role("button", name="Try now").click()
    page.sees(1)
    assert page.fake.said() == [(0, "right")]


def test_an_answer_that_was_stored_but_not_acknowledged_is_one_label(visit):
    page = visit()
    page.sees(0)
    page.fake.unheard.add("/api/choice")
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.fake.asked.count("POST /api/choice") == 2


def test_the_network_is_gone_for_a_while_and_back(visit):
    page = visit()
    page.sees(0)
    page.context.set_offline(True)
    page.press("9")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("can't be reached")
    page.page.wait_for_timeout(1500)
    page.context.set_offline(False)
    page.sees(1)
    assert page.fake.said() == [(0, "both_bad")]
    assert page.page.locator("#banner").is_hidden()
