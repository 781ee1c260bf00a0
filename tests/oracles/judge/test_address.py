import ipaddress

import pytest

from boldly.errors import OracleError
from boldly.oracles.judge.address import OPENAI, check_address, checked_url, is_loopback
from tests.oracles.judge.buying import buy, made, some


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://169.254.169.254/latest", "credentials"),
        ("https://169.254.169.254/v1", "credentials"),
        ("https://[fe80::1]/v1", "link-local"),
        ("https://[fd00:ec2::254]/v1", "credentials"),
        ("https://[::ffff:169.254.169.254]/v1", "credentials"),
        ("https://100.100.100.200/v1", "credentials"),
        ("https://metadata.google.internal/v1", "credentials"),
        ("https://0.0.0.0/v1", "no judge"),
        ("http://example.org/v1", "ssh -L"),
        ("http://10.0.0.7:8000/v1", "ssh -L"),
        ("https://user:secret@example.org/v1", "user or a password"),
        ("https://user@example.org/v1", "user or a password"),
        ("https://example.org/v1?x=1", "query"),
        ("ftp://example.org", "no web address"),
        ("example.org/v1", "no web address"),
        ("https:///v1", "no web address"),
        ("https://example.org:x/v1", "no address"),
    ],
)
def test_addresses_where_no_judge_lives_are_refused(url: str, says: str):
    """Case 44: before anything is sent, and without the password in the words."""
    with pytest.raises(OracleError, match=says) as told:
        checked_url(url)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["https://api.example.org/v1", "http://localhost:8000/v1", "http://127.0.0.1:1/v1", "http://[::1]:8/v1"]
)
def test_https_and_this_machine_are_fine(url: str):
    assert checked_url(url + "/") == url
    assert is_loopback(url) == url.startswith("http:")


def test_no_address_is_that_of_the_environment_or_openai(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert checked_url("") == OPENAI
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.org/v1")
    assert checked_url("") == "https://example.org/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.org/v1")
    with pytest.raises(OracleError):
        checked_url("")


def test_a_name_that_leads_to_a_forbidden_address_gets_nothing(monkeypatch: pytest.MonkeyPatch):
    """Case 44: the address that is connected to is the one that was checked, so a name can't change its mind."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setattr(
        "boldly.oracles.judge.transport.socket.getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", ("169.254.169.254", port))],
    )
    labels, book, ended = buy(made("https://judge.example.org/v1"), some(2))
    assert labels == []
    assert "no judge lives there" in str(ended)
    assert book.spent().money == 0.0
    assert len(book.sent) == 1


def test_the_rule_for_addresses():
    for fine in ("93.184.216.34", "10.0.0.1", "2606:2800:220:1::1"):
        check_address(ipaddress.ip_address(fine), plain=False)
    for refused in ("169.254.0.1", "fe80::2", "::ffff:169.254.1.1", "0.0.0.0", "224.0.0.1"):
        with pytest.raises(OracleError):
            check_address(ipaddress.ip_address(refused), plain=False)
    check_address(ipaddress.ip_address("127.0.0.2"), plain=True)
    with pytest.raises(OracleError):
        check_address(ipaddress.ip_address("10.0.0.1"), plain=True)
