"""All peers in one list, to loop over: what each wants for a target, and what it is expected to meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Protocol, TypeAlias

from spry_core.testing.peers import floods, leaving, lying, servers, slow
from spry_core.testing.peers.report import Ending, Report
from spry_core.testing.peers.talk import PATIENCE
from spry_core.testing.requests import HOST
from spry_core.testing.wire import Wire

Kind: TypeAlias = Literal["get", "upload", "websocket", "handshake"]
"""What stands at a peer's target: something to GET, something that reads the content of a POST, or a WebSocket route, which
peers of the last kind knock at in vain.
"""


_SMALL: Final = 4096  # the kernel makes the least of it that it can


class Run(Protocol):
    """A peer as a function; those in `ALL` have further parameters, with defaults."""

    def __call__(
        self, wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE
    ) -> Report:
        """Be that peer on `wire`, to the end, and report."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of the list."""

    name: str
    """The function's name; with a variant in brackets."""

    run: Run
    """The function."""

    kind: Kind
    """What stands at its target."""

    expected: frozenset[int | Ending]
    """What it is to meet: a status code or a close code, or a way to end."""

    says: str
    """What it does, in a sentence."""

    receive_buffer: int | None = None
    """The `receive_buffer` for an `AddressWire`: small for a peer that reads nothing, so that the server soon feels it."""

    def has_met(self, report: Report) -> bool:
        """Tell whether it met what it was to meet; a peer that found no WebSocket at its target has not."""
        if self.kind == "websocket" and report.status_code != 101:
            return False
        return bool(self.expected & {report.close_code or report.status_code, report.ending})


def _peer(kind: Kind, run: Run, *expected: int | Ending, receive_buffer: int | None = None) -> Peer:
    name = str(getattr(run, "__name__", run))
    return Peer(name, run, kind, frozenset(expected), _first_line(run.__doc__), receive_buffer)


def _bad_handshakes() -> list[Peer]:
    anything = frozenset({*range(200, 300), 400, 403, 404, 405, 426})
    says = _first_line(lying.bad_handshake.__doc__)
    return [
        Peer(
            f"bad_handshake[{fault}]", partial(lying.bad_handshake, fault=fault), "handshake", anything, says
        )
        for fault in lying.HANDSHAKES
    ]


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


ALL: Final[tuple[Peer, ...]] = (
    _peer("get", slow.silent, Ending.END),
    _peer("get", slow.slow_head, 408),
    _peer("get", slow.header_drip, 408),
    _peer("get", slow.slowloris, 408, 431),
    _peer("upload", slow.slow_body, 408),
    _peer("upload", slow.stalled_body, 408),
    _peer("get", slow.idle, Ending.END),
    _peer("get", slow.zero_window, Ending.RESET, receive_buffer=_SMALL),
    _peer("get", slow.sipper, Ending.RESET, receive_buffer=_SMALL),
    _peer("websocket", slow.never_reads, Ending.RESET, 1000, receive_buffer=_SMALL),
    _peer("websocket", slow.slow_reader, 1000),
    _peer("websocket", slow.mute, 1011),
    _peer("websocket", slow.half_frame, 1011),
    _peer("get", floods.header_bomb, 431),
    _peer("get", floods.endless_line, 414),
    _peer("upload", floods.chunk_extension_flood, 400),
    _peer("upload", floods.trailer_flood, 400),
    _peer("upload", floods.body_flood, 413),
    _peer("get", floods.pipelined_flood, Ending.END),
    _peer("websocket", floods.fragment_flood, 1008, 1009),
    _peer("websocket", floods.empty_fragment_flood, 1008, 1009),
    _peer("websocket", floods.ping_flood, 1000),
    _peer("websocket", floods.message_bomb, 1009),
    _peer("websocket", floods.compression_bomb, 1009, 1002),
    _peer("get", leaving.half_open, Ending.END),
    _peer("websocket", leaving.half_open_websocket, Ending.END),
    _peer("get", leaving.reset_mid_head, Ending.LEFT),
    _peer("upload", leaving.reset_mid_body, Ending.LEFT),
    _peer("websocket", leaving.reset_mid_frame, Ending.LEFT),
    _peer("websocket", leaving.never_closing, 1002),
    _peer("websocket", leaving.chatty_closer, 1000),
    _peer("websocket", lying.unmasked, 1002),
    _peer("websocket", lying.reserved_opcode, 1002),
    _peer("websocket", lying.bad_text, 1007),
    _peer("websocket", lying.pong_forger, 1000),
    _peer("websocket", lying.trailing_garbage, 1002),
    *_bad_handshakes(),
)
"""Every peer of a server, in no order that matters."""

SERVERS: Final[Mapping[str, Callable[[Wire], Report]]] = {
    "silent_server": servers.silent_server,
    "slow_server": servers.slow_server,
    "endless_head_server": servers.endless_head_server,
    "wrong_accept": servers.wrong_accept,
    "no_accept": servers.no_accept,
    "surprise_extension": servers.surprise_extension,
    "surprise_subprotocol": servers.surprise_subprotocol,
    "masking_server": servers.masking_server,
}
"""Every server for a client to meet, by name."""
