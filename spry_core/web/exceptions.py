"""Answers that a handler raises. They are no errors, so they stand outside of the tree of `spry_core.errors`.

`Abort` ends a request with a response, `WebSocketClose` a WebSocket with a close code, and `Rethrow` hands an exception from one
filter to the next (`spry_core.web.filters`).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from spry_core.closing import Close, check_close
from spry_core.headers import MutableHeaders, Pairs
from spry_core.protocol.outgoing import reason_phrase
from spry_core.web.response import Response

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
# What a URI may hold (RFC 3986 §2), and the percent sign of an escape. The rest is escaped: so is a backslash, which browsers
# take for a slash.
_URI_CHARACTERS: Final = "%:/?#[]@!$&'()*+,;=-._~"


class Abort(Exception):  # noqa: N818 - an answer, not an error
    """Ends a request with a response of this status: raise it anywhere in a handler or a middleware.

    An exception filter for `Abort` may answer otherwise. A WebSocket that is open already is closed, with 1008 for 4xx and
    with 1011 for the rest (RFC 6455 §7.4.1).

    Args:
        status_code: 200 to 599.
        message: The content, as plain text; empty for the usual reason phrase.
        headers: Fields of the response. 426 always has those that tell how to open a WebSocket (RFC 6455 §4.4).

    Raises:
        ValueError: The status code is out of range or a field cannot be sent.
    """

    def __init__(self, status_code: int, message: str = "", headers: Pairs | None = None) -> None:
        self.status_code = status_code
        self.message = message
        self.headers: MutableHeaders = MutableHeaders(() if headers is None else headers)
        if status_code == 426:
            self.headers.setdefault("upgrade", "websocket")
            self.headers.setdefault("connection", "Upgrade")
            self.headers.setdefault("sec-websocket-version", "13")
        self.response()  # raises here, and not where nobody expects it any more
        super().__init__(status_code, message)

    def __str__(self) -> str:
        return f"{self.status_code} {self.message or reason_phrase(self.status_code).decode('ascii')}".strip()

    def response(self) -> Response:
        """Make the response: short plain text, none where the status forbids it."""
        if self.status_code in (204, 205, 304):
            return Response(b"", self.status_code, self.headers)
        text = self.message or reason_phrase(self.status_code).decode("ascii")
        return Response(text, self.status_code, self.headers)

    @classmethod
    def redirect(cls, location: str, status_code: int = 302) -> Abort:
        """Make the one that sends the client to `location`, a URI reference (RFC 9110 §10.2.2, §15.4).

        What a URI cannot hold is percent-encoded as UTF-8. Whether a location that came from the client may be followed is for
        the caller to decide.

        Raises:
            ValueError: `location` has a control character, or the status is none of 301, 302, 303, 307 and 308.
        """
        if status_code not in _REDIRECTS:
            raise ValueError(f"{status_code} is no redirection to a location (RFC 9110 §15.4)")
        if any(character < " " or character == "\x7f" for character in location):
            raise ValueError("the location has a control character (RFC 9110 §10.2.2)")
        return cls(status_code, headers={"location": quote(location, safe=_URI_CHARACTERS)})


class WebSocketClose(Exception):  # noqa: N818 - an answer, not an error
    """Ends a WebSocket with this close code: raise it anywhere in its handler.

    Raises:
        ValueError: No Close frame may say this (RFC 6455 §5.5.1, §7.4).
    """

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        self.close: Close = check_close(code, reason)
        """The content of the Close frame."""
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class Rethrow(Exception):  # noqa: N818 - an answer, not an error
    """Raised by an exception filter: let the next less specific filter have the exception, as if this one were not there."""
