import pytest

from tests.support.desk_page import page_of


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """For what changes nothing."""
    with page_of(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture
def fresh(tmp_path):
    with page_of(tmp_path) as page:
        yield page
