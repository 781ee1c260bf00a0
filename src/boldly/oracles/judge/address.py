"""Where a judge may live: https, or http on this very machine; never an address that hands out credentials."""

import ipaddress
import os
from urllib.parse import urlsplit

from boldly.errors import OracleError

OPENAI = "https://api.openai.com/v1"
_NAMES_OF_METADATA = ("metadata", "metadata.google.internal", "metadata.goog", "instance-data")
_METADATA = {ipaddress.ip_address(address) for address in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_url(base_url: str) -> str:
    """`base_url`, else OPENAI_BASE_URL, else OpenAI's own, without a slash at its end.

    Raises `OracleError` for a scheme other than https that leaves this machine, for a user or a password in it, for a
    query or a fragment, and for addresses that no judge lives at.
    """
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise OracleError(f"the judge's base_url is no address ({error}): write `base_url: {OPENAI}`.") from None
    if parts.username is not None or parts.password is not None:
        raise OracleError(
            "the judge's base_url holds a user or a password, which would end up in files: leave them out, and put the "
            "key into the environment."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise OracleError(f"the judge's base_url {url!r} is no web address: write `base_url: {OPENAI}`.")
    if parts.query or parts.fragment:
        raise OracleError(f"the judge's base_url {url!r} has a query or a fragment: write it up to its path only.")
    if host.rstrip(".").lower() in _NAMES_OF_METADATA:
        raise OracleError(f"{host} hands out credentials of this machine; no judge lives there.")
    address = _literal(host)
    if address is not None:
        check_address(address, plain=parts.scheme == "http")
    elif parts.scheme == "http" and host != "localhost":
        raise OracleError(_plain(host))
    return url


def is_loopback(base_url: str) -> bool:
    """Whether a checked address is of this very machine."""
    host = urlsplit(base_url).hostname or ""
    address = _literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def check_address(address: Address, *, plain: bool) -> None:
    """Raise `OracleError` for an address that a name may not lead to; `plain` is http without TLS."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if address.is_link_local or address in _METADATA or address.is_unspecified or address.is_multicast:
        raise OracleError(f"{address} is link-local or hands out credentials of a machine; no judge lives there.")
    if plain and not address.is_loopback:
        raise OracleError(_plain(str(address)))


def _plain(host: str) -> str:
    return (
        f"http would send the key and the responses to {host} for anyone to read: write `base_url: https://...`, or "
        "forward a port of this machine to it (ssh -L) and write `base_url: http://localhost:PORT/v1`."
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
