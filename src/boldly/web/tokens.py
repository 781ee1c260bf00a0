"""Secrets of a page: the key of a run, the link of a person, and leases that don't tell how their sides were drawn."""

import hashlib
import hmac
import os
import re
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from boldly.errors import StorageError
from boldly.ledger.sql.desk import Order

KEY_FILE = "page.key"
_KEY_BYTES = 32
_SECONDS_TO_WRITE = 1.0
_TOKEN = re.compile(r"([1-9][0-9]{0,8}|0)\.([1-9][0-9]{0,8}|0)\.([0-9a-f]{32})", re.ASCII)
LEASE_PATTERN = r"^[0-9a-f]{32}\.[0-9a-f]{16}$"


class Claim(NamedTuple):
    """Who a token says it was made for."""

    number: int
    generation: int


def key_of(run: Path) -> bytes:
    """The key of the run in this directory, made at the first time; whoever has it can label as anybody.

    Raises `StorageError` if others may read it, or if it can't be read or written.
    """
    path = run / KEY_FILE
    try:
        _make(path)
        return _read(path)
    except OSError as error:
        raise StorageError(
            f"`{path}` can't be read or written ({error.strerror or error}): the page needs it to know its annotators."
        ) from error


def token_of(key: bytes, claim: Claim) -> str:
    """What stands in the personal link of an annotator of this generation: NUMBER.GENERATION.SIGNATURE."""
    return f"{claim.number}.{claim.generation}.{_sign(key, 'annotator', *claim)[:32]}"


def read_token(key: bytes, text: str) -> Claim | None:
    """Whom a token was made for, or None if it was not made with this key; takes as long for any wrong signature."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    claim = Claim(int(found[1]), int(found[2]))
    return claim if hmac.compare_digest(token_of(key, claim), text) else None


def cookie_of(key: bytes) -> str:
    """The name of the cookie: another one for each run, as browsers send cookies to every port of a host."""
    return f"boldly-{_sign(key, 'cookie')[:8]}"


def seal(key: bytes, annotator: int, lease: str, order: Order) -> str:
    """A lease as its annotator's page knows it. Which side is `a` is bound to it, and can't be read from it."""
    return f"{lease}.{_sign(key, 'lease', annotator, lease, order)[:16]}"


def unseal(key: bytes, annotator: int, sealed: str) -> tuple[str, Order] | None:
    """The lease and its order, or None if it was not sealed for this annotator."""
    lease = sealed.rpartition(".")[0]
    orders: tuple[Order, Order] = ("ab", "ba")
    for order in orders:
        if hmac.compare_digest(seal(key, annotator, lease, order).encode(), sealed.encode()):
            return lease, order
    return None


def _sign(key: bytes, *parts: str | int) -> str:
    return hmac.new(key, "/".join(map(str, parts)).encode(), hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    """The key, which another process may be about to write."""
    deadline = time.monotonic() + _SECONDS_TO_WRITE
    while True:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(_KEY_BYTES + 1)
        if os.name == "posix" and mode & 0o077:
            raise StorageError(
                f"`{path}` may be read by others, who could label under any name: write `chmod 600 {path}`, or delete "
                "it, after which every personal link is a new one."
            )
        if len(key) == _KEY_BYTES:
            return key
        if time.monotonic() > deadline:
            raise StorageError(
                f"`{path}` holds {len(key)} bytes and not {_KEY_BYTES}: delete it, after which every personal link is "
                "a new one."
            )
        time.sleep(0.01)
