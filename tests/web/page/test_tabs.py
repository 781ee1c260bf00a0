"""Leases: a tab keeps its pairs for as long as somebody sees it, over a reload too, and gives back none but its own."""

import time

from tests.support.visits import until
from tests.web.page.visits import sync_api, text_of


def test_leases_are_kept_and_one_that_is_gone_gives_way_to_another_pair(visit):
    page = visit(lease_seconds=1.5, settings={"reason": True})
    page.sees(0)
    page.page.get_by_label("Why?").fill("half a thought")
    until(lambda: len(page.fake.beats) >= 2)
    page.fake.expired.update(lease for lease, pair in page.fake.leases.items() if pair == 0)
    page.fake.chosen.append({"pair": 0, "choice": "left", "key": "of-another-person"})
    page.sees(1)
    assert "time for that pair ran out" in text_of(page.page, "#note")
    assert page.page.get_by_label("Why?").input_value() == "half a thought"


def test_no_heartbeat_from_a_tab_that_nobody_sees(visit):
    page = visit(lease_seconds=1.5)
    page.sees(0)
    page.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.page.title().startswith("●")
    page.page.wait_for_timeout(300)
    beats = len(page.fake.beats)
    page.page.wait_for_timeout(1500)
    assert len(page.fake.beats) == beats
    page.page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: len(page.fake.beats) > beats)
    page.press("1")
    page.sees(1)
    assert page.fake.chosen[0]["seconds"] < page.page.evaluate("performance.now()") / 1000 - 1.5


def test_two_tabs_of_one_person_show_different_pairs_and_both_work(visit):
    page = visit(most=4)
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    other = page.tab()
    page.sees(2, other)
    page.page.bring_to_front()
    page.press("1")
    page.sees(1)
    other.bring_to_front()
    other.keyboard.press("2")
    until(lambda: sorted(page.fake.said()) == [(0, "left"), (2, "right")])
    page.sees(3, other)
    other.close()
    until(lambda: 3 not in page.fake.leases.values())
    page.page.bring_to_front()
    page.page.reload()
    page.sees(1)


def test_a_reload_shows_the_same_pair_and_takes_no_further_lease(visit):
    page = visit()
    page.sees(0)
    for _ in range(3):
        page.page.reload()
        page.sees(0)
    assert len(page.fake.leases) <= 3


def test_a_reload_keeps_its_pair_however_late_the_farewell_of_the_page_before_arrives(visit):
    page = visit()
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    page.fake.late = 1.5
    page.page.reload()
    page.sees(0)
    page.page.wait_for_timeout(2000)
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.complaints == []


def test_a_tab_that_is_closed_gives_its_pairs_back_and_no_others(visit):
    page = visit(most=4)
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    other = page.tab()
    page.sees(2, other)
    until(lambda: len(page.fake.leases) == 4)
    other.close()
    until(lambda: sorted(page.fake.leases.values()) == [0, 1])
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


def test_a_tab_that_is_closed_keeps_what_it_answered_and_what_was_taken_back(visit):
    page = visit()
    page.sees(0)
    page.press("9")
    page.sees(1)
    page.press("u")
    page.sees(0)
    again = next(iter(lease for lease, pair in page.fake.leases.items() if pair == 0))
    page.page.reload()
    page.sees(0)
    assert again in page.fake.leases
    page.page.route("**/api/choice", lambda route: route.abort())
    page.press("1")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("kept on this machine")
    page.page.close()
    time.sleep(0.5)
    assert list(page.fake.leases) == [again]
    page.page = page.tab()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
