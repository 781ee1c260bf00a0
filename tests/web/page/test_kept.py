"""Answers that nobody acknowledged: the browser keeps them for their own run, and says so if one is refused."""

import re

import pytest

from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, page_of
from tests.web.fake_server import Fake
from tests.web.page.visits import PAIRS, sync_api, text_of


def test_an_answer_is_sent_by_the_next_page_if_this_one_is_closed(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("2")
    page.page.close()
    page.fake.broken = None
    page.page = page.tab()
    page.sees(1)
    assert page.fake.said() == [(0, "right")]
    assert page.kept() == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_link_that_was_withdrawn_keeps_the_answer_and_says_what_the_server_says(visit, status: int):
    page = visit(excuse="this link was withdrawn; Ann can give you a new one.")
    page.sees(0)
    page.fake.broken = status
    said = "This link was withdrawn; Ann can give you a new one. What you answered is kept on this machine."
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a heartbeat at once
    sync_api.expect(page.page.locator("#banner p")).to_have_text(said)
    page.press("1")
    sync_api.expect(page.page.locator("#banner button")).to_be_visible()
    sync_api.expect(page.page.locator("#banner p")).to_have_text(said)
    page.fake.broken = None
    page.page.reload()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


@pytest.mark.parametrize("status", [404, 422])
def test_an_answer_that_is_refused_gives_way_to_another_pair(visit, status: int):
    page = visit()
    page.sees(0)
    answer = {"status": status, "json": {"error": "that pair is not on your page."}}
    page.page.route("**/api/choice", lambda route: route.fulfill(**answer), times=1)
    page.press("1")
    page.sees(1)
    assert "That pair is not on your page." in text_of(page.page, "#note")
    assert page.fake.chosen == []


def test_a_kept_answer_is_sent_to_its_own_run_and_to_no_other_at_the_same_address(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("1")
    page.page.close()
    page.fake.broken = None
    other = Fake(PAIRS, settings={"run": "boldly-ffffffff"})
    page.served.serves(other)
    page.page = page.tab()
    page.sees(0)
    page.press("9")
    page.sees(1)
    assert other.said() == [(0, "both_bad")]
    assert page.kept() == 1
    page.served.serves(page.fake)
    page.page.reload()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.kept() == 0


def test_runs_of_one_path_are_told_apart_by_their_keys(tmp_path):
    with page_of(tmp_path) as page:
        told = []
        for key in (KEY, bytes(32)):
            client = page.client(None, key=key)
            client.cookies.set(cookie_of(key), token_of(key, Claim(page.ann.number, page.ann.generation)))
            told += re.findall(r'data-run="([^"]*)"', client.get("/").text)
        assert told == [cookie_of(KEY), cookie_of(bytes(32))]
        assert told[0] != told[1]


def test_a_kept_answer_that_is_refused_says_so_with_the_next_pair_and_before_it(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("1")
    page.fake.leases.clear()
    page.fake.pairs = []
    page.fake.broken = None
    page.page.reload()
    sentence = "An answer of yours wasn't taken: There is no such pair on your page."
    sync_api.expect(page.page.locator("#rest-text")).to_contain_text(sentence)
    sync_api.expect(page.page.get_by_role("status")).to_contain_text(sentence)
    assert page.kept() == 0
    page.fake.pairs = PAIRS
    page.sees(0)
    assert text_of(page.page, "#note") == sentence
    sync_api.expect(page.page.get_by_role("status")).to_have_text(f"{sentence} A pair to judge.")
    page.press("2")
    page.sees(1)
    assert page.page.locator("#note").is_hidden()
    assert page.fake.said() == [(0, "right")]
