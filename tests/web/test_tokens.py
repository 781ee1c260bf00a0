"""Secrets of a page."""

import hmac
import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.errors import StorageError
from boldly.web.tokens import Claim, cookie_of, key_of, read_token, seal, token_of, unseal

KEY, OTHER = bytes(32), bytes([1] * 32)
LEASE = "0123456789abcdef" * 2


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    key = key_of(tmp_path)
    assert len(key) == 32
    assert key_of(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "page.key").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert key_of(tmp_path / "other") != key


def test_whatever_the_umask_is_nobody_else_reads_the_key(tmp_path):
    before = os.umask(0)
    try:
        key_of(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "page.key").stat().st_mode) == 0o600


def test_processes_that_start_at_once_have_one_key(tmp_path):
    start, keys = threading.Barrier(8), []

    def work():
        start.wait()
        keys.append(key_of(tmp_path))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    key_of(tmp_path)
    (tmp_path / "page.key").chmod(mode)
    with pytest.raises(StorageError, match=r"chmod 600 .*page\.key"):
        key_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_that_was_cut_is_refused(tmp_path, content, monkeypatch):
    monkeypatch.setattr("boldly.web.tokens._SECONDS_TO_WRITE", 0.05)
    path = tmp_path / "page.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StorageError, match=f"holds {len(content)} bytes"):
        key_of(tmp_path)


def test_a_link_elsewhere_is_no_key(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(32))
    (tmp_path / "page.key").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match=r"page\.key"):
        key_of(tmp_path)


def test_a_run_that_is_not_there_has_no_key(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        key_of(tmp_path / "missing")


def test_a_token_says_whom_it_was_made_for():
    token = token_of(KEY, Claim(3, 1))
    assert token.startswith("3.1.")
    assert len(token) == 4 + 32
    assert read_token(KEY, token) == (3, 1)
    assert read_token(OTHER, token) is None


@given(st.text() | st.from_regex(r"[0-9]+\.[0-9]+\.[0-9a-f]{32}"))
def test_no_other_text_is_a_token(text):
    assert read_token(KEY, text) is None or text == token_of(KEY, read_token(KEY, text))


@pytest.mark.parametrize("change", ["30.1.", "3.2.", "03.1.", "٣.1.", " 3.1.", "-3.1.", "3.1.\n"])
def test_a_token_that_was_changed_is_none(change):
    signature = token_of(KEY, Claim(3, 1)).rpartition(".")[2]
    assert read_token(KEY, change + signature) is None
    assert read_token(KEY, f"3.1.{signature.upper()}") is None
    assert read_token(KEY, f"3.1.{signature}\n") is None


def test_signatures_are_compared_in_constant_time(monkeypatch):
    compared = []
    honest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: compared.append(pair) or honest(*pair))
    assert read_token(KEY, "3.1." + "0" * 32) is None
    assert unseal(KEY, 3, f"{LEASE}.{'0' * 16}") is None
    assert len(compared) == 3


def test_cookies_of_two_runs_do_not_meet():
    assert cookie_of(KEY) != cookie_of(OTHER)
    assert len(cookie_of(KEY)) == len("boldly-") + 8


@given(st.integers(0, 1000), st.sampled_from(["ab", "ba"]))
def test_a_sealed_lease_binds_its_order_without_telling_it(annotator, order):
    sealed = seal(KEY, annotator, LEASE, order)
    assert unseal(KEY, annotator, sealed) == (LEASE, order)
    assert unseal(KEY, annotator + 1, sealed) is None
    assert unseal(OTHER, annotator, sealed) is None
    assert sealed.removeprefix(LEASE + ".") not in (order, order[::-1])
    assert len(sealed) == len(seal(KEY, annotator, LEASE, order[::-1]))


@given(st.text())
def test_no_other_text_is_a_lease(text):
    assert unseal(KEY, 1, text) is None
