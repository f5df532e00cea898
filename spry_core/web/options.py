"""The options of a WebSocket route: what may be said, where, and what holds in the end.

An option that the route leaves out comes from its groups, the nearest first, then from the application, then from the `Limits`
and `Timeouts` of the server. They are judged when they are given, so that a mistake shows where it was made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, TypeAlias, TypedDict, cast

from spry_core.headers import is_token
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.origin import SAME, Origins, read_origins
from spry_core.web.request import HttpHandler

SelectProtocol: TypeAlias = Callable[[list[str]], str | Awaitable[str | None] | None]
"""Gets the subprotocols that the client offers, in its order, at least one; returns one of them, or None to decline."""

OnDisconnect: TypeAlias = Literal["raise", "cancel"]
"""What happens to a handler when its connection ends: its next operation raises, or it is cancelled."""

AcceptMode: TypeAlias = Literal["auto", "manual"]
"""Who sends the 101: the route before its handler runs, or the handler, by ``await ws.accept()``."""

Compression: TypeAlias = Deflate | Literal[True] | None
"""How messages are compressed (RFC 7692): as these settings say, as their defaults say, or not at all."""


class LimitSettings(TypedDict, total=False):
    """Those options that replace one of the server's `Limits`."""

    max_message_size: int | None
    max_fragments: int | None
    max_queue: int


class TimeoutSettings(TypedDict, total=False):
    """Those options that replace one of the server's `Timeouts`; in seconds."""

    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float | None


class WebSocketSettings(LimitSettings, TimeoutSettings, total=False):
    """What may be said about a WebSocket route; `WebSocketOptions`, `Limits` and `Timeouts` say what each of these means."""

    protocols: Sequence[str]
    select_protocol: SelectProtocol | None
    require_protocol: bool
    accept: AcceptMode
    compression: Compression
    origins: Origins | Sequence[str]
    fallback: HttpHandler | None
    on_disconnect: OnDisconnect
    close_on_return: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """What holds for one WebSocket route."""

    protocols: tuple[str, ...] = ()
    """Subprotocols that the route speaks, in its own order of preference (RFC 6455 §4.2.2)."""

    select_protocol: SelectProtocol | None = None
    """Chooses among those that the client offers, instead of `protocols`; sync or async."""

    require_protocol: bool = False
    """True: without a common subprotocol the answer is 400."""

    accept: AcceptMode = "auto"
    """``"manual"``: the handler is called before the 101, and sends it by ``await ws.accept()``, or answers like one of HTTP."""

    compression: Deflate | None = None
    """How messages are compressed where the client offers it (RFC 7692); None: not at all."""

    origins: Origins = SAME
    """Web pages of which sites may connect: ``"same"``, these origins beside the same, or None for all (RFC 6455 §10.2)."""

    fallback: HttpHandler | None = None
    """Answers GET and HEAD requests that do not ask for a WebSocket, before a GET route of the same path does."""

    on_disconnect: OnDisconnect = "raise"
    """What happens to the handler when the connection ends."""

    close_on_return: bool = False
    """True: the connection is closed, with 1000, when the handler returns."""

    limit_settings: LimitSettings = field(default_factory=LimitSettings)
    """What replaces the server's limits."""

    timeout_settings: TimeoutSettings = field(default_factory=TimeoutSettings)
    """What replaces the server's timeouts."""

    def limits(self, base: Limits) -> Limits:
        """Return the limits of the server with those of the route in their place."""
        return _limits(base, tuple(self.limit_settings.items())) if self.limit_settings else base

    def timeouts(self, base: Timeouts) -> Timeouts:
        """Return the timeouts of the server with those of the route in their place."""
        return _timeouts(base, tuple(self.timeout_settings.items())) if self.timeout_settings else base


# All connections of one route have the same ones.


@lru_cache(maxsize=256)
def _limits(base: Limits, settings: tuple[tuple[str, object], ...]) -> Limits:
    return replace(base, **cast("LimitSettings", dict(settings)))


@lru_cache(maxsize=256)
def _timeouts(base: Timeouts, settings: tuple[tuple[str, object], ...]) -> Timeouts:
    return replace(base, **cast("TimeoutSettings", dict(settings)))


def merge(*levels: WebSocketSettings) -> WebSocketSettings:
    """Lay settings over each other, from the outermost level to the nearest, which wins.

    `protocols` and `select_protocol` are two ways to say one thing: who says either has said both.
    """
    merged = WebSocketSettings()
    for level in levels:
        if "protocols" in level or "select_protocol" in level:
            merged.pop("protocols", None)
            merged.pop("select_protocol", None)
        merged.update(level)
    return merged


def resolve(*levels: WebSocketSettings) -> WebSocketOptions:
    """Merge settings and judge them.

    Raises:
        TypeError: An option has no such name, or a value of a type that it cannot have.
        ValueError: A value is none that the option can have, or options contradict each other.
    """
    settings = merge(*levels)
    for name in settings:
        if name not in WebSocketSettings.__optional_keys__:
            raise TypeError(f"a WebSocket route has no option {name!r}")
    limits = _part(settings, LimitSettings.__optional_keys__)
    timeouts = _part(settings, TimeoutSettings.__optional_keys__)
    if limits.get("max_queue", 0) is None:
        raise TypeError("max_queue is a number")
    options = WebSocketOptions(
        protocols=_read_protocols(settings.get("protocols", ())),
        select_protocol=settings.get("select_protocol"),
        require_protocol=settings.get("require_protocol", False),
        accept=settings.get("accept", "auto"),
        compression=_read_compression(settings.get("compression")),
        origins=read_origins(settings.get("origins", SAME)),
        fallback=settings.get("fallback"),
        on_disconnect=settings.get("on_disconnect", "raise"),
        close_on_return=settings.get("close_on_return", False),
        limit_settings=cast("LimitSettings", limits),
        timeout_settings=cast("TimeoutSettings", timeouts),
    )
    _check(options)
    return options


def _part(settings: WebSocketSettings, names: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name in names}


def _check(options: WebSocketOptions) -> None:
    if options.protocols and options.select_protocol is not None:
        raise ValueError("protocols and select_protocol are two ways to choose: give one of them")
    if options.on_disconnect not in ("raise", "cancel"):
        raise ValueError("on_disconnect is 'raise' or 'cancel'")
    if options.accept not in ("auto", "manual"):
        raise ValueError("accept is 'auto' or 'manual'")
    options.limits(Limits())  # these two judge the numbers
    options.timeouts(Timeouts())


def _read_protocols(protocols: Sequence[str]) -> tuple[str, ...]:
    """Return subprotocols as they are kept; each is a token and there once (RFC 6455 §4.1)."""
    if isinstance(protocols, str):
        raise TypeError("protocols is a sequence of subprotocols, not one of them")
    names = tuple(protocols)
    if len(set(names)) != len(names) or not all(is_token(name) for name in names):
        raise ValueError(f"protocols are different tokens, not {names!r} (RFC 6455 §4.1)")
    return names


def _read_compression(compression: object) -> Deflate | None:
    if compression is None or isinstance(compression, Deflate):
        return compression
    if compression is True:
        return Deflate()
    raise TypeError(f"compression is None, True or a Deflate, not {compression!r:.100}")
