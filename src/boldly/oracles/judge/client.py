"""One request to a service, and what became of it. The only file that knows the client's library."""

import email.utils
import json
import math
import time
from collections.abc import Mapping
from typing import Any, cast

import httpcore2
import httpx2
import openai

from boldly.errors import OracleError
from boldly.oracles.judge.address import is_loopback
from boldly.oracles.judge.keys import Key
from boldly.oracles.judge.outcome import Outcome
from boldly.oracles.judge.transport import BoundedTransport, within

_UNSENT = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.LocalProtocolError,
    httpcore2.UnsupportedProtocol,
)
_ENDS = {
    401: "does not take the key; set another",
    402: "wants to be paid first; see to the account",
    403: "does not allow this; see to the rights of the key",
    404: "has no such model or address; see to `model` and `base_url`",
}
_MOST_REASON = 300


class Client:
    """Sends chat completions to one service. It never tries again by itself and follows no redirect."""

    def __init__(self, base_url: str, key: Key, timeout: float) -> None:
        self._key = key
        self._timeout = timeout
        self._url = base_url
        self._transport = BoundedTransport(plain=base_url.startswith("http:"))
        self._client = openai.OpenAI(
            api_key=key.value or "none",
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            default_headers={"Accept-Encoding": "identity"},
            http_client=httpx2.Client(transport=self._transport, follow_redirects=False, trust_env=False),
        )

    def send(self, body: Mapping[str, Any]) -> Outcome:
        """Send one request. Nothing that the service does raises; no text of the outcome holds the key."""
        try:
            with within(self._timeout):
                response = self._client.post("/chat/completions", cast_to=httpx2.Response, body=dict(body))
        except openai.APIStatusError as error:
            return self._of_status(error.response)
        except Exception as error:
            return self._of_failure(error)
        return self._of_body(response)

    def hang_up(self) -> None:
        """Close the connections that no request uses."""
        self._transport.hang_up()

    def _of_body(self, response: httpx2.Response) -> Outcome:
        try:
            body = json.loads(self._key.redact(response.content.decode("utf-8")))
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "no type")
            start = response.content[:80]
            return Outcome("garbled", self._said(f"the service answered no JSON but {kind}: {start!r}"))
        if not isinstance(body, dict):
            return Outcome("garbled", "the service answered JSON that is no chat completion")
        whole = _storable(cast(dict[str, Any], body))
        if not whole.get("choices"):
            return Outcome("garbled", self._said(f"the service answered without a choice: {_error_of(whole)}"), whole)
        return Outcome("reply", body=whole)

    def _of_status(self, response: httpx2.Response) -> Outcome:
        status = response.status_code
        body = _read_json(self._key.redact(response.text))
        told = self._said(f"HTTP {status}: {_error_of(body) or response.text[:_MOST_REASON]}")
        if body.get("usage"):
            return Outcome("lost", told, body)
        if status in (408, 409, 429) or status >= 500:
            if status == 429 and "insufficient_quota" in json.dumps(body):
                return Outcome("ended", f"the judge's service {_ENDS[402]} ({told})")
            return Outcome("busy", told, wait=_retry_after(response.headers))
        if 300 <= status < 400:
            target = self._said(response.headers.get("location", "nowhere"))
            return Outcome(
                "ended",
                f"the judge's service at {self._url} sends on to {target}, where the key does not follow: if you "
                "trust that, write it as `base_url`",
            )
        if status in _ENDS:
            return Outcome("ended", f"the judge's service {_ENDS[status]} ({told})")
        return Outcome("refused", told)

    def _of_failure(self, error: Exception) -> Outcome:
        cause = (error.__cause__ or error) if isinstance(error, openai.APIConnectionError) else error
        told = self._said(f"{type(cause).__name__}: {cause}".rstrip(": "))
        if isinstance(cause, OracleError):
            return Outcome("ended", self._said(str(cause)))
        if isinstance(cause, _UNSENT):
            where = "" if is_loopback(self._url) else " (proxies of the environment are not used)"
            return Outcome("busy", f"{self._url} can't be reached: {told}{where}")
        if isinstance(cause, httpcore2.TimeoutException):
            return Outcome("lost", f"no answer within {self._timeout:g} s; it may have been paid")
        return Outcome("lost", f"the answer broke off; it may have been paid ({told})")

    def _said(self, text: str) -> str:
        flat = " ".join(self._key.redact(text).split())
        return flat if len(flat) <= _MOST_REASON else flat[: _MOST_REASON - 3] + "..."


def _read_json(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], body) if isinstance(body, dict) else {}


def _error_of(body: Mapping[str, Any]) -> str:
    """What an error's body says, in the words of the service."""
    error = body.get("error", body.get("detail", body.get("message", "")))
    told = cast(Mapping[str, Any], error).get("message", error) if isinstance(error, Mapping) else error
    return told if isinstance(told, str) else json.dumps(told)


def _storable(value: Any) -> Any:
    """`value` without NUL and half surrogates, which databases refuse."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in cast(dict[Any, Any], value).items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in cast(list[Any], value)]
    return value


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds, from `retry-after-ms` or `Retry-After`, which is seconds or a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "nan")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0.0:
            return seconds
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
