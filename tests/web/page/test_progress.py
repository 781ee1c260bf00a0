"""What follows an answer: the next pair, a calm wait for it, or thanks; and how far the run is."""

from tests.web.page.visits import PAIRS, sync_api, text_of


def test_a_pair_is_shown_only_after_the_last_answer_is_stored(visit):
    page = visit(slow=1.0)
    page.sees(0)
    page.press("2")
    page.page.wait_for_timeout(300)
    assert PAIRS[0][0] in text_of(page.page, "#prompt")
    assert page.page.locator("#right.picked").count() == 1
    page.sees(1)
    assert page.fake.said() == [(0, "right")]
    assert page.page.locator(".picked").count() == 0


def test_without_a_pair_the_page_waits_calmly_and_goes_on_by_itself(visit):
    page = visit(pairs=PAIRS[:1])
    page.sees(0)
    page.fake.phase = "learning"
    page.fake.message = "the model is learning from 16 labels; the next pairs come by themselves"
    page.press("1")
    rest = page.page.locator("#rest")
    sync_api.expect(rest).to_contain_text("The model is learning from 16 labels")
    assert page.page.locator("#choice").is_hidden()
    assert page.page.title() == "The model is learning · boldly"
    page.press("1", "2", "s")
    page.fake.pairs = PAIRS
    page.fake.phase = "labelling"
    page.sees(1)
    assert rest.is_hidden()
    assert page.fake.said() == [(0, "left")]


def test_the_pairs_that_wait_for_others_are_told_as_such(visit):
    page = visit(pairs=PAIRS[:3], most=0)
    sync_api.expect(page.page.locator("#rest-more")).to_have_text(
        "The pairs that still wait are on other pages, were skipped, or want somebody else's answer."
    )


def test_a_run_that_ended_says_thank_you_and_undo_still_works(visit):
    page = visit(pairs=PAIRS[:1])
    page.sees(0)
    page.fake.phase, page.fake.message = "ended", "all labels of this run are there; thank you"
    page.press("1")
    sync_api.expect(page.page.locator("#rest")).to_contain_text("Thank you: you labelled 1 pair.")
    page.press("u")
    page.sees(0)


def test_progress_is_told(visit):
    page = visit()
    page.sees(0)
    page.press("1")
    page.sees(1)
    assert text_of(page.page, "#mine") == "1 answer from you"
    assert text_of(page.page, "#all") == "· 1 of 200 labels"
    assert text_of(page.page, "#message") == "The model trains when 12 more are labelled, about 4 minutes at this pace"
    assert page.page.get_by_role("progressbar").evaluate("bar => [bar.value, bar.max]") == [1, 200]
