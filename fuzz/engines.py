"""Any bytes on each engine: the same connection must come of them, call by call, whatever is done with it.

What is compared is all that can be seen from outside after each step: events, bytes and ends to be written, whether reading is
wanted, the next deadline, what is buffered, how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple, cast

from differential.engine_differences import in_our_words
from engines import NAMES, in_place
from fuzz import seeds as seeding
from fuzz import subjects
from fuzz.checks import LONGEST, cut, random_of
from fuzz.drive import Make, Note, steadily, storm
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import BodyData, ConnectionEnded, EngineName, Event, Failure, MessageData
from traces import comparable


class Kind(NamedTuple):
    """A connection that bytes are given to, by chance."""

    make: Callable[[Random], Make]
    """Chooses how it is made."""

    before: bytes = b""
    """What stands before the bytes."""


def _client(random: Random) -> Make:
    method = random.choice((b"GET", b"HEAD", b"POST"))
    return lambda: subjects.client(method)


def _server(random: Random) -> Make:
    return subjects.server if random.random() < 0.7 else subjects.odd_server(random)


def _websocket(random: Random) -> Make:
    return random.choice(subjects.SERVERS) if random.random() < 0.7 else subjects.odd_websocket(random)


def _websocket_of_client(random: Random) -> Make:
    return random.choice(subjects.CLIENTS)


def _offering(random: Random) -> Make:
    return subjects.offering


KINDS: Final[Sequence[Kind]] = (
    Kind(_websocket),
    Kind(_websocket_of_client),
    Kind(_server),
    Kind(_server, subjects.CHUNKED),
    Kind(_server, subjects.HANDSHAKE),
    Kind(_client),
    Kind(_offering),
)
"""The first byte of an input says which: modulo their number."""


def check_engines(data: bytes) -> None:
    """Give the bytes to the connection that the first of them says, on each engine."""
    if len(data) < 2:
        return
    kind = KINDS[data[0] % len(KINDS)]
    random = random_of(data)
    bytes_of_peer = kind.before + data[1:LONGEST]
    check_same(kind.make(random), cut(bytes_of_peer, random), random.randrange(1 << 30))


def check_same(make: Make, pieces: Sequence[bytes], seed: int) -> None:
    """Let a connection hear these pieces on each engine, steadily and in a storm; nothing but the words may differ."""
    expected = seen(NAMES[0], make, pieces, seed)
    for name in NAMES[1:]:
        found = seen(name, make, pieces, seed)
        if found != expected:
            raise AssertionError(_difference(name, expected, found))


def seen(name: EngineName, make: Make, pieces: Sequence[bytes], seed: int) -> list[object]:
    """Return all that is seen of it on this engine."""
    notes: list[object] = []
    with in_place(name):
        takes_runs = seed % 2 == 0
        steadily(make(), pieces, _noted_in(notes), takes_runs=takes_runs)
        storm(make(), pieces, Random(seed), _noted_in(notes))
    return notes


def _noted_in(notes: list[object]) -> Note:
    """Make what takes down in a way that can be compared, and only what is another thing than before."""

    def note(what: object) -> None:
        shown = _shown(what)
        if not notes or shown != notes[-1]:
            notes.append(shown)

    return note


def _shown(what: object) -> object:
    if not isinstance(what, list):
        return what
    items = cast("list[object]", what)
    shown, neighbours = list[object](), list[Event]()
    for item in items:
        match item:
            case BodyData() | MessageData():
                neighbours.append(item)
                continue
            case Failure():
                item = "Failure", _words(item.error)
            case ConnectionEnded():
                item = "ConnectionEnded", replace(item.info, cause=None), _words(item.info.cause)
            case _:
                pass
        shown += [*comparable(neighbours), item]
        neighbours = []
    return [*shown, *comparable(neighbours)]


def _words(error: BaseException | None) -> object:
    if isinstance(error, RemoteProtocolError):
        return in_our_words(str(error), error.section), error.status_code, error.close_code
    return repr(error)


def _difference(name: EngineName, expected: list[object], found: list[object]) -> str:
    """Say where they part."""
    place = next(
        (i for i, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other),
        min(len(expected), len(found)),
    )
    one, other = (notes[place] if place < len(notes) else None for notes in (expected, found))
    before = expected[max(0, place - 3) : place]
    return f"{NAMES[0]} and {name} part behind {before}:\n{NAMES[0]}: {one}\n{name}: {other}"


def seeds() -> list[bytes]:
    """Return the inputs to begin with: those of the other targets, for each kind of connection its own."""
    clients = seeding.frames_of_clients()
    found = (
        clients + [subjects.frames_of(payload, random_of(payload)) for payload in seeding.payloads()],
        seeding.frames_of_servers(),
        seeding.requests(),
        seeding.chunks(),
        seeding.handshake_fields() + [b"\r\n" + each for each in clients],
        seeding.responses(),
        seeding.switches(),
    )
    return [bytes((number,)) + each for number, inputs in enumerate(found) for each in inputs]
