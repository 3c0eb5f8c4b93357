"""Under which names a dashboard may be asked for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tunefast.errors import UserError

LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = (LOOPBACK, "localhost", "[::1]")


@dataclass(frozen=True)
class Site:
    """Where a dashboard listens, and as what a browser knows it.

    A page on another host can have its name lead to this address (DNS rebinding), so a request that names any other
    host than these is not ours.
    """

    port: int
    listen: str | None = None
    """The address of another network interface; None for loopback."""
    proxy: str | None = None
    """The origin under which a proxy that speaks TLS serves it, ``https://NAME[:PORT]``."""

    @property
    def origins(self) -> dict[str, str]:
        """The hosts it may be asked for under, each with the origin of its pages."""
        names = [*_LOOPBACK_NAMES, *_names(self.listen)]
        hosts = [f"{name}:{self.port}" for name in names] + (names if self.port == 80 else [])  # noqa: PLR2004
        origins = {host.lower(): f"http://{host}".lower() for host in hosts}
        if self.proxy is not None:
            origins |= {urlsplit(self.proxy).netloc: self.proxy}
        return origins

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return self.proxy or f"http://{LOOPBACK}:{self.port}"

    @property
    def cookie(self) -> str:
        """What its cookie is called: browsers send cookies of one host to all its ports."""
        return f"tunefast-{self.port}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by TLS only."""
        return self.proxy is not None


def checked_proxy(listen: str | None, proxy: str | None) -> str | None:
    """The origin that `proxy` names, in the form in which browsers send it.

    Raises `UserError` where it names none, and where `listen` asks for another interface than loopback without one.
    """
    if proxy is None:
        if listen is not None:
            raise UserError(
                f"--listen {listen}: the dashboard speaks no TLS, so beside loopback it only works behind a proxy that "
                "does. Name the address that people open: --listen ADDRESS --behind-proxy https://NAME. "
                "Without a proxy, leave --listen out and forward the port: ssh -L 8080:127.0.0.1:8080 HOST"
            )
        return None
    try:
        parts = urlsplit(proxy)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = parts._replace(path=parts.path.rstrip("/"), scheme=parts.scheme.lower(), netloc=parts.netloc.lower())
    if plain != ("https", plain.netloc, "", "", "") or not parts.hostname or "@" in plain.netloc:
        raise UserError(f"--behind-proxy {proxy}: give the address that people open, https://NAME or https://NAME:PORT")
    return f"https://{plain.netloc.removesuffix(':443') if port == 443 else plain.netloc}"  # noqa: PLR2004


def _names(listen: str | None) -> list[str]:
    """The host that an address to listen on makes; none of the one that stands for all interfaces."""
    if listen is None:
        return []
    try:
        address = ipaddress.ip_address(listen)
    except ValueError:
        return [listen]
    if address.is_unspecified:
        return []
    return [f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)]
