"""Events, settings and errors as values of JSON, and back.

Bytes are strings where they are plain text, else ``{"base64": …}``; so a recording is ASCII without a control character, whatever
a peer has sent. What has its default is left out. An object says by ``is`` of which class it is.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, ClassVar, Final, Protocol, TypeAlias, TypeVar, cast

from spry_core.closing import Close
from spry_core.errors import RemoteProtocolError, SpryError
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    Ping,
    Pong,
    RawFields,
    Refusal,
    RequestHead,
    ResponseHead,
    SentEvent,
)
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import StreamEnd

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value of JSON."""

Entry: TypeAlias = "dict[str, Json]"
"""One line of a recording."""

T = TypeVar("T")
Settings = TypeVar("Settings", Limits, Timeouts)


class DataclassInstance(Protocol):
    """An instance of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # Any: as `dataclasses` has it


_PLAIN: Final = re.compile(rb"[\t\r\n\x20-\x7e]*")


class RecordedError(Exception):
    """Stands in a replay for an error that was not Spry's: the stream's, or the application's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        """The class of the error that was recorded."""


# ------------------------------------------------------------------------------------------------------------- to JSON


def encode(value: object) -> Json:
    """Return `value` as JSON has it; of what no connection takes or gives only the name of its class."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return encode_bytes(value)
        case bytearray() | memoryview():
            return encode_bytes(bytes(cast("bytearray | memoryview[int]", value)))
        case tuple() | list():
            return [encode(each) for each in cast("tuple[object, ...]", value)]
        case StreamEnd():
            return {"end": value.name}
        case BaseException():
            return encode_error(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {"is": type(value).__name__, **encode_fields(value)}
        case _:
            return {"unknown": type(value).__name__}


def encode_bytes(data: bytes) -> Json:
    """Write bytes as text where they are plain, else in base64."""
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    return {"base64": b2a_base64(data, newline=False).decode("ascii")}


def encode_fields(value: DataclassInstance) -> Entry:
    """Return the fields of a dataclass that have not their default."""
    entry: Entry = {}
    for field in fields(value):
        each: object = getattr(value, field.name)
        if field.default is MISSING or each != field.default:
            # Of a message the kind of its data is all that tells text from bytes.
            is_text = field.name == "data" and isinstance(each, str)
            entry["text" if is_text else field.name] = encode(each)
    return entry


def encode_all(settings: Limits | Timeouts) -> Entry:
    """Return every setting."""
    return {field.name: encode(getattr(settings, field.name)) for field in fields(settings)}


def encode_changes(present: Settings, following: Settings) -> Entry:
    """Return the settings that will be others."""
    before = encode_all(present)
    return {name: value for name, value in encode_all(following).items() if value != before[name]}


def encode_error(error: BaseException) -> Json:
    """Write an error: what it says only if it is ours, for others may tell secrets."""
    entry: Entry = {"error": error.name if isinstance(error, RecordedError) else type(error).__name__}
    if isinstance(error, SpryError):
        entry["text"] = str(error)
    if isinstance(error, RemoteProtocolError):
        entry["section"] = error.section
        if error.status_code is not None:
            entry["status_code"] = error.status_code
        if error.close_code is not None:
            entry["close_code"] = error.close_code
    return entry


# ----------------------------------------------------------------------------------------------------------- from JSON


def as_object(value: Json) -> Entry:
    """Return `value`, which must be an object; raises `ValueError`, as all of these do."""
    if not isinstance(value, dict):
        raise ValueError("an object is needed")
    return value


def as_list(value: Json) -> list[Json]:
    """Return a list."""
    if not isinstance(value, list):
        raise ValueError("a list is needed")
    return value


def as_text(value: Json) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("a text is needed")
    return value


def as_number(value: Json) -> float:
    """Return a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is needed")
    return value


def as_whole(value: Json) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is needed")
    return value


def as_truth(value: Json) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


def as_bytes(value: Json) -> bytes:
    """Return bytes."""
    match value:
        case str():
            return value.encode("ascii")  # UnicodeEncodeError is a ValueError
        case {"base64": str(text), **rest} if not rest:
            try:
                return a2b_base64(text, strict_mode=True)
            except Base64Error as error:
                raise ValueError(f"no base64: {error}") from None
        case _:
            raise ValueError("bytes are needed")


def or_none(read: Callable[[Json], T]) -> Callable[[Json], T | None]:
    """Make a reader that takes null as well."""
    return lambda value: None if value is None else read(value)


def as_texts(value: Json) -> tuple[str, ...]:
    """Return several texts."""
    return tuple(as_text(each) for each in as_list(value))


def as_fields(value: Json) -> RawFields:
    """Return a header or trailer section."""
    return tuple(_as_pair(each) for each in as_list(value))


def _as_pair(value: Json) -> tuple[bytes, bytes]:
    match value:
        case [name, content]:
            return as_bytes(name), as_bytes(content)
        case _:
            raise ValueError("a field has a name and a value")


def _as_websocket(value: Json) -> Offer | Refusal:
    found = _read(value, {Offer: _OFFER, Refusal: _REFUSAL})
    assert isinstance(found, Offer | Refusal)
    return found


Readers: TypeAlias = Mapping[str, Callable[[Json], object]]

_OFFER: Final[Readers] = {"key": as_bytes, "subprotocols": as_texts, "extensions": as_texts}
_REFUSAL: Final[Readers] = {"status_code": as_whole, "reason": as_text}
_OF_DATA: Final[Readers] = {"data": as_bytes, "text": as_text, "compress": or_none(as_truth)}
_OF_PAYLOAD: Final[Readers] = {"payload": as_bytes}

_EVENTS: Final[Mapping[type, Readers]] = {
    RequestHead: {
        "method": as_bytes,
        "target": as_bytes,
        "headers": as_fields,
        "http_version": as_bytes,
        "websocket": or_none(_as_websocket),
    },
    ResponseHead: {
        "status_code": as_whole,
        "headers": as_fields,
        "reason_phrase": as_bytes,
        "http_version": as_bytes,
    },
    BodyData: {"data": as_bytes},
    BodyEnd: {"trailers": as_fields},
    Accept: {"subprotocol": or_none(as_text), "extensions": as_texts, "headers": as_fields},
    Message: _OF_DATA,
    MessageStart: {"kind": as_text, "compress": or_none(as_truth)},
    MessageData: _OF_DATA,
    MessageEnd: {},
    Ping: _OF_PAYLOAD,
    Pong: _OF_PAYLOAD,
    Close: {"code": or_none(as_whole), "reason": as_text},
}
"""Those that `Connection.send` takes: what a replay must make again. The others it only compares."""


_DEFLATE: Final[Readers] = {
    "server_max_window_bits": as_whole,
    "client_max_window_bits": as_whole,
    "server_no_context_takeover": as_truth,
    "client_no_context_takeover": as_truth,
    "level": or_none(as_whole),
    "mem_level": as_whole,
    "threshold": as_whole,
}


def decode_event(value: Json) -> SentEvent:
    """Return the event that was sent."""
    return cast("SentEvent", _read(value, _EVENTS))


def _read(value: Json, classes: Mapping[type, Readers]) -> object:
    entry = as_object(value)
    name = entry.get("is")
    for each, readers in classes.items():
        if each.__name__ == name:
            return _make(each, {key: item for key, item in entry.items() if key != "is"}, readers)
    raise ValueError(f"{name!r:.60} is nothing that can be sent")


def _make(made: type, entry: Entry, readers: Readers) -> object:
    arguments: dict[str, object] = {}
    for name, item in entry.items():
        if name not in readers:
            raise ValueError(f"{made.__name__} has no {name!r:.60}")
        try:
            arguments["data" if name == "text" else name] = readers[name](item)
        except ValueError as error:
            raise ValueError(f"{name} of {made.__name__}: {error}") from None
    try:
        return made(**arguments)
    except TypeError:
        raise ValueError(f"{made.__name__} is not complete") from None


def decode_settings(settings: Settings, value: Json) -> Settings:
    """Return these limits or timeouts with what was recorded in its place; those of another version may have others, which is
    an error.
    """
    names = {field.name for field in fields(settings)}
    changes: dict[str, Any] = {}  # each is checked to be what its field holds: a number, or None
    for name, item in as_object(value).items():
        if name not in names:
            raise ValueError(f"{type(settings).__name__} has no {name!r:.60}")
        changes[name] = or_none(as_number)(item)
    return replace(settings, **changes)


def decode_deflate(value: Json) -> Deflate:
    """Return how messages are compressed."""
    made = _read(value, {Deflate: _DEFLATE})
    assert isinstance(made, Deflate)
    return made


def decode_error(value: Json) -> BaseException:
    """Return what stands for an error."""
    entry = as_object(value)
    if "section" not in entry:
        return RecordedError(as_text(entry.get("error")))
    return RemoteProtocolError(
        as_text(entry.get("text")),
        section=as_text(entry["section"]),
        status_code=or_none(as_whole)(entry.get("status_code")),
        close_code=or_none(as_whole)(entry.get("close_code")),
    )
