"""The content of a client's request, and the fields that describe it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict, TypeGuard
from urllib.parse import urlencode

from spry_core.headers import MutableHeaders


class ContentSettings(TypedDict, total=False):
    """What a client's request carries: one of these, or nothing."""

    content: str | bytes | Iterable[bytes]
    """The content; an iterable is sent chunked, unless a Content-Length says how long it is."""

    json: object
    """A value to send as JSON."""

    data: Mapping[str, str] | None
    """The fields of a form, sent as ``application/x-www-form-urlencoded``; None for no form."""


def content_of(fields: MutableHeaders, settings: ContentSettings) -> Iterable[bytes]:
    """Return the pieces of a request's content, and set the fields that describe it, unless they are there.

    Args:
        fields: The header section so far; it is completed.
        settings: The content.

    Raises:
        TypeError: A setting has no such name, there are two of them, or what is to be sent is of another type.
    """
    _check(settings)
    if "json" in settings:
        content: object = json.dumps(settings["json"], ensure_ascii=False, separators=(",", ":")).encode()
        fields.setdefault("content-type", "application/json")
    elif (data := settings.get("data")) is not None:
        content = urlencode(data).encode("ascii")
        fields.setdefault("content-type", "application/x-www-form-urlencoded")
    else:
        content = settings.get("content", b"")
    if isinstance(content, str):
        content = content.encode()
        fields.setdefault("content-type", "text/plain; charset=utf-8")
    if isinstance(content, bytes):
        if content:
            fields.setdefault("content-length", str(len(content)))
        return (content,)
    if not _is_iterable(content):
        raise TypeError(f"content is str, bytes or an iterable of bytes, not {type(content).__name__}")
    if "content-length" not in fields:
        fields.setdefault("transfer-encoding", "chunked")
    return _pieces(content)


def _is_iterable(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, Iterable)


def _check(settings: ContentSettings) -> None:
    names = [name for name, value in settings.items() if name != "data" or value is not None]
    for name in names:
        if name not in ContentSettings.__optional_keys__:
            raise TypeError(f"a request has no argument {name!r}: its content is content, json or data")
    if len(names) > 1:
        raise TypeError(f"{' and '.join(names)}: a request has one content, so give one of them")


def _pieces(content: Iterable[object]) -> Iterator[bytes]:
    for piece in content:
        if not isinstance(piece, bytes):
            raise TypeError(f"a piece of the content is bytes, not {type(piece).__name__}")
        yield piece


def on_wire(target: str) -> bytes:
    """Return the bytes of a target.

    Raises:
        ValueError: It cannot stand on the wire as it is.
    """
    if not target.isascii():
        at, char = next((at, char) for at, char in enumerate(target) if not char.isascii())
        raise ValueError(f"the target has {char!a} at {at}: percent-encode it, as `urllib.parse.quote` does")
    return target.encode("ascii")
