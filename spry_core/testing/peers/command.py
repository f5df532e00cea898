"""`python -m spry_core.testing.peers HOST:PORT`: every peer against a real server, a line for each.

Only for servers that are yours: to others this is an attack.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from spry_core.testing.peers.catalogue import ALL, Kind, Peer
from spry_core.testing.peers.healthy import healthy
from spry_core.testing.peers.report import Ending, Report
from spry_core.testing.peers.talk import PATIENCE
from spry_core.testing.requests import HOST
from spry_core.testing.wire import Wire

PROGRAM: Final = "python -m spry_core.testing.peers"
_ROW: Final = "{:<36} {:<16} {:<14} {:>8}  {}"

Connect: TypeAlias = Callable[[Peer | None], Wire]
"""Opens a connection for a peer, or for the healthy client."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status.

    0 if all went well, 1 if a peer outlived its patience or the server is gone, 2 if no peer could be run.
    """
    options = _parser().parse_args(arguments)
    chosen = list(_chosen(options.name))
    if not chosen:
        return _refuse("no peer has a name that begins so; --list names them")
    if options.list:
        for peer in chosen:
            print(f"{peer.name:<36} {peer.kind:<10} {peer.says}")
        return 0
    targets: dict[Kind, str | None] = {
        "get": options.get,
        "upload": options.upload,
        "websocket": options.websocket,
        "handshake": options.websocket,
    }
    try:
        connect = _connector(options.address)
    except ValueError:
        return _refuse(f"an address is HOST:PORT, or a path with a slash in it, and not {options.address!r}")
    return _run(chosen, targets, connect, options.host, options.patience)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Let hostile peers loose on a server of yours, one after the other, and tell what each met.",
        epilog="Exit status 1: a peer outlived its patience, so the server would keep it for ever, or answers nobody any more; "
        "2: no peer could be run.",
    )
    parser.add_argument(
        "address", nargs="?", default="127.0.0.1:8000", help="HOST:PORT, or the path of a unix socket"
    )
    parser.add_argument(
        "--name", action="append", default=[], help="only peers whose name begins so (several times)"
    )
    parser.add_argument("--get", default="/", metavar="TARGET", help="something to GET (default: /)")
    parser.add_argument("--upload", metavar="TARGET", help="something that reads the content of a POST")
    parser.add_argument("--websocket", metavar="TARGET", help="a WebSocket, best one that echoes")
    parser.add_argument("--host", default=HOST, help=f"what the Host field says (default: {HOST})")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        help=f"seconds that each peer stays (default: {PATIENCE:g})",
    )
    parser.add_argument("--list", action="store_true", help="say what the peers do, and connect to nothing")
    return parser


def _chosen(names: Sequence[str]) -> Iterator[Peer]:
    return (peer for peer in ALL if not names or peer.name.startswith(tuple(names)))


def _connector(text: str) -> Connect:
    from spry_core.testing.address import AddressWire  # noqa: PLC0415 - only here are sockets wanted (decision 21)

    host, _, port = text.rpartition(":")
    address = text if "/" in text else (host.strip("[]") or "127.0.0.1", int(port))

    def connect(peer: Peer | None) -> Wire:
        return AddressWire(address, receive_buffer=None if peer is None else peer.receive_buffer)

    return connect


def _run(
    chosen: Sequence[Peer],
    targets: Mapping[Kind, str | None],
    connect: Connect,
    host: str,
    patience: float,
) -> int:
    print(_ROW.format("peer", "met", "ended by", "seconds", "verdict"))
    verdicts: list[str] = []
    for peer in chosen:
        target = targets[peer.kind]
        if target is None:
            continue
        try:
            wire = connect(peer)
        except OSError as error:
            status = _refuse(f"nobody accepts: {error.strerror or error}; is the server running?")
            return 1 if verdicts else status
        report = peer.run(wire, target, host=host, patience=patience)
        is_alive = _is_alive(connect, targets["get"] or "/", host, patience)
        verdict = _verdict(peer, report) if is_alive else "AND NOBODY IS ANSWERED ANY MORE"
        verdicts.append(verdict)
        print(_ROW.format(peer.name, report.answer, report.ending.value, f"{report.seconds:.2f}", verdict))
    left_out = len(chosen) - len(verdicts)
    failed = sum(verdict.isupper() for verdict in verdicts)
    print(f"{len(verdicts)} peers, {failed} failed", end="")
    print(f"; {left_out} left out for want of --upload or --websocket" if left_out else "")
    if not verdicts:
        return 2
    return 1 if failed else 0


def _is_alive(connect: Connect, target: str, host: str, patience: float) -> bool:
    """Tell whether the server still answers whoever does everything right."""
    try:
        report = healthy(connect(None), target, host=host, patience=patience)
    except OSError:
        return False
    return report.ending is Ending.END and report.status_code is not None


def _verdict(peer: Peer, report: Report) -> str:
    if report.outlived:
        return "OUTLIVED ITS PATIENCE"
    if peer.has_met(report):
        return "as expected"
    if peer.kind == "websocket" and report.status_code != 101:
        return "no WebSocket there"
    return "ended otherwise"


def _refuse(why: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {why}\n")
    return 2
