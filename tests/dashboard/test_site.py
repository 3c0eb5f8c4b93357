"""Under which names a dashboard is served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.dashboard.site import Site, checked_proxy
from tunefast.errors import UserError

LOOPBACK = {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}


@pytest.mark.parametrize(
    ("listen", "host"), [("10.0.0.5", "10.0.0.5:8080"), ("FE80::1", "[fe80::1]:8080"), ("tune.lan", "tune.lan:8080")]
)
def test_the_address_to_listen_on_is_a_name_too(listen: str, host: str) -> None:
    """What --listen names may be asked for, beside loopback."""
    assert Site(8080, listen).origins.keys() == LOOPBACK | {host}


@pytest.mark.parametrize("listen", [None, "0.0.0.0", "::"])  # noqa: S104
def test_all_interfaces_are_no_name(listen: str | None) -> None:
    """Browsers reach 0.0.0.0 as this machine, so pages elsewhere could: it is listened on and never asked for."""
    assert Site(8080, listen).origins.keys() == LOOPBACK


def test_behind_a_proxy_its_origin_is_ours() -> None:
    """The proxy's name is served, to pages that came by TLS."""
    site = Site(8080, "10.0.0.5", "https://tune.example:8443")
    assert site.origins["tune.example:8443"] == "https://tune.example:8443"
    assert site.url == "https://tune.example:8443"


def test_port_80_is_not_named() -> None:
    """Browsers leave it out."""
    assert {"127.0.0.1", "127.0.0.1:80"} <= Site(80).origins.keys()


@pytest.mark.parametrize(
    ("proxy", "origin"),
    [
        ("https://tune.example", "https://tune.example"),
        ("HTTPS://Tune.Example/", "https://tune.example"),
        ("https://tune.example:443", "https://tune.example"),
        ("https://tune.example:8443/", "https://tune.example:8443"),
    ],
)
def test_a_proxys_address_is_taken_as_browsers_send_it(proxy: str, origin: str) -> None:
    """In small letters, without the port that goes without saying."""
    assert checked_proxy("10.0.0.5", proxy) == origin


@pytest.mark.parametrize(
    "proxy",
    [
        "tune.example",
        "http://tune.example",
        "https://",
        "https://a/b",
        "https://a?b",
        "https://me@a",
        "https://a:x",
        "",
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused(proxy: str) -> None:
    """One message that says what to give."""
    with pytest.raises(UserError, match="https://NAME"):
        checked_proxy(None, proxy)


def test_listening_needs_a_proxy() -> None:
    """Waitress speaks no TLS: the token would travel in the clear."""
    with pytest.raises(UserError, match=r"speaks no TLS.*--behind-proxy"):
        checked_proxy("10.0.0.5", None)
    assert checked_proxy(None, None) is None


@given(st.text())
def test_any_text_is_an_origin_or_refused(text: str) -> None:
    """Whatever stands behind --behind-proxy."""
    try:
        origin = checked_proxy(None, text)
    except UserError:
        return
    assert origin is not None
    assert origin.startswith("https://")
