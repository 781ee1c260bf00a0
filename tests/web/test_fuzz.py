"""Requests drawn from the API's own description, good and bad: every answer is one that the description allows."""

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import Config, GenerationMode

from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, page_of

OPERATIONS = (
    ("GET", "/api/pair"),
    ("POST", "/api/choice"),
    ("POST", "/api/undo"),
    ("POST", "/api/flag"),
    ("POST", "/api/beat"),
    ("POST", "/api/release"),
    ("GET", "/api/held"),
    ("GET", "/api/state"),
    ("GET", "/api/dashboard"),
)
TAKE_NOTHING = {("GET", "/api/state"), ("GET", "/api/dashboard")}
"""Those in which nothing could be wrong."""
MODES = [
    (*operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation not in TAKE_NOTHING
]
HOST = "testserver"
CONFIG = Config.from_dict(
    {"generation": {"with-security-parameters": False, "deterministic": True, "database": "none"}}
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with page_of(tmp_path_factory.mktemp("fuzz"), queries=200) as page:
        yield page


@pytest.fixture(scope="module")
def client(page):
    return page.client(page.ann, hosts=frozenset({HOST, "localhost"}))


def test_every_operation_is_drawn(client):
    described = client.app.openapi()["paths"]
    schema = schemathesis.openapi.from_dict(client.app.openapi(), config=CONFIG)
    taking = {(method, path) for method, path in OPERATIONS if (one := schema[path][method]).body or one.query}
    assert taking == set(OPERATIONS) - TAKE_NOTHING
    assert sorted(OPERATIONS) == sorted((method.upper(), path) for path, item in described.items() for method in item)


@pytest.mark.parametrize("examples", [8, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("method", "path", "mode"), MODES)
def test_every_answer_is_one_that_the_description_allows(page, client, method, path, mode, examples):
    """All checks of schemathesis, such as that bad data is refused and good data is not, and no 5xx.

    Of the leases and keys in good data some are real ones.
    """
    schema = schemathesis.openapi.from_dict(client.app.openapi(), config=CONFIG)
    schema.app = client.app
    operation = schema[path][method]
    cookie = f"{cookie_of(KEY)}={token_of(KEY, Claim(page.ann.number, page.ann.generation))}"
    headers = {"Cookie": cookie, "Origin": f"http://{HOST}"}

    @hypothesis.settings(max_examples=examples, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(operation.as_strategy(generation_mode=mode), st.booleans())
    def check(case, real):
        if real and mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and "lease" in case.body:
            pair = client.get("/api/pair").json()["pair"]
            case.body["lease"] = pair["lease"] if pair else case.body["lease"]
        case.call_and_validate(headers=headers)

    before = len(page.desk.choices())
    check()
    if mode is GenerationMode.POSITIVE and path in ("/api/choice", "/api/flag"):
        assert len(page.desk.choices()) > before
    assert client.app.state.broken is None
