"""The parsers of text: small functions that take anything, and of which the results go together."""

from __future__ import annotations

import re
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Deflate
from spry_core.protocol.deflate import Agreement, check_answer, negotiate, offer, parse_agreement
from spry_core.routing.pattern import Pattern, split_path
from spry_core.routing.tree import BadPath, Match, Route, Router
from spry_core.web.cookies import format_set_cookie, parse_cookies
from spry_core.web.target import parse_target
from spry_core.web.urlencoded import count_pairs, parse_pairs

LONGEST: Final = 4 * 1024

_SETTINGS: Final = (
    Deflate(),
    Deflate(server_max_window_bits=15, client_max_window_bits=15),
    Deflate(server_max_window_bits=9, client_max_window_bits=8, client_no_context_takeover=True),
)
_VISIBLE: Final = re.compile(r"[\x20-\x7e]*")


def check_extensions(data: bytes) -> None:
    """An element of Sec-WebSocket-Extensions, as an offer and as an answer (RFC 7692 §7.1)."""
    text = data[:LONGEST].decode("latin-1")
    for deflate in _SETTINGS:
        agreement = negotiate([text], deflate)
        if agreement is not None:
            assert parse_agreement([str(agreement)], [text]) == agreement, "our answer does not fit the offer"
            assert (agreement.server_max_window_bits or 15) >= 9
        answered = _judged(text, offer(deflate))
        if answered is not None:
            assert check_answer([str(answered)], [offer(deflate)]) == answered
    _read_back(text)


def _judged(answer: str, offered: str) -> Agreement | None:
    try:
        return check_answer([answer], [offered])
    except RemoteProtocolError:
        return None


def _read_back(text: str) -> None:
    try:
        agreement = parse_agreement([text])
    except ValueError:
        return
    assert agreement is not None
    assert parse_agreement([str(agreement)]) == agreement


def check_web(data: bytes) -> None:
    """A query, cookies and a target, each read out of the same bytes."""
    data = data[:LONGEST]
    pairs = parse_pairs(data)
    assert len(list(pairs.items())) <= count_pairs(data)
    text = data.decode("latin-1")
    for name, value in parse_cookies([text]).items():
        assert name
        assert name == name.strip(" \t")
        assert ";" not in value
        _set_cookie(name, value)
    for method in ("GET", "OPTIONS", "CONNECT"):
        target = parse_target(text, method)
        assert target.raw_path or not text
        if text.startswith("/"):
            assert text in (target.raw_path, f"{target.raw_path}?{target.query}")


def _set_cookie(name: str, value: str) -> None:
    """Whatever is accepted is one cookie on one line (RFC 6265 §4.1)."""
    try:
        line = format_set_cookie(name, value, path=f"/{value}", domain=name)
    except ValueError:
        return
    assert _VISIBLE.fullmatch(line) is not None
    assert line.split("; ")[0] == f"{name}={value}"


def check_routes(data: bytes) -> None:
    """Patterns and a path, one on each line: the router finds what a look at each pattern finds, and nothing else."""
    *lines, path = data[:LONGEST].decode("latin-1").split("\n")
    router = Router[int]()
    added = list[Pattern]()
    for number, line in enumerate(lines[:20]):
        try:
            pattern = Pattern.parse(line)
            router.add(Route("GET", pattern, number, "here"))
        except ValueError:
            continue
        assert Pattern.parse(str(pattern)) == pattern
        added.append(pattern)
    answer = router.match("GET", path)
    if isinstance(answer, BadPath):
        return
    segments = split_path(path)
    fitting = [pattern for pattern in added if _fits(pattern, segments)]
    assert isinstance(answer, Match) == bool(fitting), f"{answer} where {fitting} fit"
    if isinstance(answer, Match):
        best = min(fitting, key=_rank)
        assert answer.route.pattern == best
        assert (answer.params, answer.catchall) == best.capture(segments)


def _fits(pattern: Pattern, segments: list[str]) -> bool:
    """Say by the rules of `docs/reference/routing.md`, without a tree, whether a pattern takes a path."""
    kinds = str(pattern)[1:].split("/")
    has_rest = kinds[-1] == "**"
    if len(segments) < len(kinds) or (len(segments) > len(kinds) and not has_rest):
        return False
    for kind, segment in zip(kinds, segments, strict=False):
        if kind in ("*", "**") or kind.startswith(":"):
            if not segment:
                return False
        elif kind != segment:
            return False
    return True


def _rank(pattern: Pattern) -> list[int]:
    """Order the more specific first, from the left."""
    return [_kind(each) for each in str(pattern)[1:].split("/")]


def _kind(segment: str) -> int:
    return {"*": 2, "**": 3}.get(segment, 1 if segment.startswith(":") else 0)
