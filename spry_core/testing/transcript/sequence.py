"""A recording made into the steps that people read: what, when, in which direction."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from spry_core.recording.values import Entry, Json, as_bytes
from spry_core.testing.transcript.calls import Naming
from spry_core.testing.transcript.decoding import (
    LONGEST_DETAIL,
    Decoder,
    Details,
    escaped,
    readable,
    sized,
)
from spry_core.testing.transcript.reader import Line, Transcript

Lane: TypeAlias = Literal["in", "out", "inside"]
"""From the peer to the owner, from the owner to the peer, or neither."""

Kind: TypeAlias = Literal[
    "begin",
    "head",
    "content",
    "frame",
    "bytes",
    "event",
    "send",
    "call",
    "time",
    "source",
    "mistake",
    "state",
    "end",
    "cut",
    "fault",
]
"""What a step is, for its looks."""


@dataclass(frozen=True, slots=True)
class State:
    """What the connection says of itself."""

    phase: str = "http"
    """``http``, ``open``, ``closing``, ``ending`` or ``closed``."""

    buffered: int = 0
    """Bytes that are unsent."""

    wants_read: bool = True
    """Whether the pump may read."""

    deadline: float | None = None
    """The next moment at which time alone changes something."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened."""

    number: int
    """The line of the file."""

    now: float
    """Seconds since the connection began."""

    lane: Lane
    """Which way it went."""

    kind: Kind
    """What it is."""

    title: str
    """One line of printable characters."""

    details: Details
    """All there is to say."""

    state: State
    """The connection's state behind it."""


def steps(transcript: Transcript) -> Iterator[Step]:
    """Yield the steps of a recording, in order.

    Raises:
        TranscriptError: The bytes of some line are none.
    """
    return _Sequence(transcript).steps()


class _Sequence:
    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        head = transcript.head
        methods: deque[bytes] = deque()
        requests, responses = Decoder("request", methods), Decoder("response", methods)
        is_server = head.get("role") != "client"
        self._incoming, self._outgoing = (requests, responses) if is_server else (responses, requests)
        self._requests = requests
        self._began = _number(head.get("now"))
        self._now = 0.0
        self._state = State()

    def steps(self) -> Iterator[Step]:
        for line in self._transcript.lines:
            with Naming(self._transcript.path, line.number):
                yield from self._of_line(line)
        fault = self._transcript.fault
        if fault is not None:
            yield self._step(Line(fault.number, "fault", {}), "inside", "fault", escaped(str(fault)), ())

    def _step(self, line: Line, lane: Lane, kind: Kind, title: str, details: Details) -> Step:
        return Step(line.number, self._now, lane, kind, title, details, self._state)

    def _of_line(self, line: Line) -> Iterator[Step]:
        entry = line.entry
        match line.kind:
            case "transcript":
                title = f"a {_text(entry.get('role'))}'s connection, Spry {_text(entry.get('spry'))}"
                yield self._step(line, "inside", "begin", title, _details(entry))
            case "call":
                yield from self._of_call(line)
            case "bytes":
                yield from self._of_bytes(line)
            case "event":
                title = f"event {_described(entry['event'])}"
                yield self._step(line, "in", "event", title, _details(entry["event"]))
            case "state":
                yield self._of_state(line)
            case "cut":
                yield self._step(line, "inside", "cut", f"the recording ends here: {_text(entry['cut'])}", ())
            case "raised":
                title = f"refused: {_described(entry['raised'])}"
                yield self._step(line, "inside", "mistake", title, _details(entry["raised"]))
            case _:
                title = "drew random bytes" if line.kind == "random" else "read the wall clock"
                yield self._step(line, "inside", "source", title, _details(entry))

    def _of_call(self, line: Line) -> Iterator[Step]:
        entry = line.entry
        name = _text(entry["call"])
        if "now" in entry:
            self._now = _number(entry["now"]) - self._began
        arguments = {key: value for key, value in entry.items() if key not in ("call", "now")}
        match name:
            case "receive_data":
                data = as_bytes(entry.get("data"))
                for item in self._incoming.feed(data):
                    yield self._step(line, "in", item.kind, item.title, item.details)
            case "send":
                event = entry.get("event")
                yield self._step(line, "out", "send", f"send {_described(event)}", _details(event))
            case "receive_eof":
                yield self._step(line, "in", "end", "the peer ends its direction", ())
            case "connection_lost":
                error = entry.get("error")
                why = f": {_described(error)}" if error is not None else ""
                yield self._step(line, "in", "end", f"the stream is gone{why}", _details(error))
            case "handle_deadline":
                yield self._step(line, "inside", "time", "a deadline is due", ())
            case _:
                words = ", ".join(f"{key}={_short(value)}" for key, value in arguments.items())
                yield self._step(line, "inside", "call", f"{name}({words})", _details(arguments))

    def _of_bytes(self, line: Line) -> Iterator[Step]:
        items = line.entry["bytes"]
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and "end" in item:
                how = _text(item["end"]).lower().replace("_", " ")
                yield self._step(line, "out", "end", f"{how} the stream", ())
                continue
            for each in self._outgoing.feed(as_bytes(item)):
                yield self._step(line, "out", each.kind, each.title, each.details)

    def _of_state(self, line: Line) -> Step:
        found = line.entry["state"]
        new = found if isinstance(found, dict) else {}
        before = self._state
        deadline = new.get("deadline")
        self._state = State(
            _text(new.get("phase")),
            int(_number(new.get("buffered"))),
            new.get("wants_read") is True,
            None if deadline is None else _number(deadline) - self._began,
        )
        if self._state.phase in ("open", "closing"):
            self._requests.switch()
        words = ", ".join(_changes(before, self._state)) or "as before"
        return self._step(line, "inside", "state", words, ())


def _changes(before: State, after: State) -> Iterator[str]:
    if before.phase != after.phase:
        yield f"phase {before.phase} to {after.phase}"
    if before.buffered != after.buffered:
        yield f"{sized(after.buffered)} unsent"
    if before.wants_read != after.wants_read:
        yield "reads" if after.wants_read else "does not read"
    if before.deadline != after.deadline:
        yield "no deadline" if after.deadline is None else f"deadline at {after.deadline:.3f} s"


def _described(value: Json) -> str:
    """Describe an event or an error in one line."""
    if not isinstance(value, dict):
        return _short(value)
    name = _text(value.get("is", value.get("error")))
    match value:
        case {"is": "RequestHead", "method": method, "target": target}:
            return f"{name} {_short(method)} {_short(target)}"
        case {"is": "ConnectionEnded", "info": dict(info)}:
            return (
                f"{name} by {_text(info.get('initiator'))}, close code {_short(info.get('close_code', 1006))}"
            )
        case {"is": "Failure", "error": {"text": text}}:
            return f"{name}: {_short(text)}"
        case {"text": said} | {"data": said} | {"payload": said} | {"code": said} | {"status_code": said}:
            return f"{name} {_short(said)}"
        case _:
            return name


def _details(value: Json) -> Details:
    """Return the members of an object; one in another comes with both names."""
    if not isinstance(value, dict):
        return ()
    return tuple(_members(value, ""))


def _members(value: Entry, prefix: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{prefix}{escaped(key)}"
        match item:
            case {"base64": str()}:
                yield name, _short(item, LONGEST_DETAIL)
            case dict():
                yield from _members(item, f"{name}.")
            case [[_, _], *_]:
                yield from (
                    (f"{name}.{_short(each[0])}", _short(each[1], LONGEST_DETAIL)) for each in _pairs(item)
                )
            case _:
                yield name, _short(item, LONGEST_DETAIL)


def _pairs(value: Json) -> Iterator[tuple[Json, Json]]:
    for each in value if isinstance(value, list) else ():
        match each:
            case [name, content]:
                yield name, content
            case _:
                yield "", each


def _short(value: Json, longest: int = 60) -> str:
    """Write a value in one line."""
    match value:
        case str():
            return escaped(value, longest)
        case {"base64": str()}:
            return readable(as_bytes(value), longest)
        case _:
            return escaped(json.dumps(value), longest)


def _text(value: Json) -> str:
    return _short(value)


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
