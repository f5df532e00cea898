"""The content of a client's request, and the fields that describe it."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

from spry_core.headers import MutableHeaders

NOTHING: Final = object()
"""Stands for no JSON: None is a value of JSON."""


def content_of(
    fields: MutableHeaders,
    content: str | bytes | Iterable[bytes],
    json: object,
    data: Mapping[str, str] | None,
) -> Iterator[bytes] | tuple[bytes]:
    """Return the pieces of a request's content, and set the fields that describe it, unless they are there.

    Args:
        fields: The header section so far; it is completed.
        content: The content; an iterable is sent chunked, unless a Content-Length says how long it is.
        json: Instead of `content`: a value to send as JSON; `NOTHING` for none.
        data: Instead of `content`: the fields of a form.
    """
    if json is not NOTHING:
        content = json_module.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
        fields.setdefault("content-type", "application/json")
    elif data is not None:
        content = urlencode(data).encode("ascii")
        fields.setdefault("content-type", "application/x-www-form-urlencoded")
    elif isinstance(content, str):
        content = content.encode()
        fields.setdefault("content-type", "text/plain; charset=utf-8")
    if isinstance(content, bytes):
        if content:
            fields.setdefault("content-length", str(len(content)))
        return (content,)
    if "content-length" not in fields:
        fields.setdefault("transfer-encoding", "chunked")
    return iter(content)
