"""The request, as handlers and middleware see it: text where the wire has bytes, each part made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, TypeAlias

from spry_core.closing import ConnectionClosed
from spry_core.headers import Headers, MultiMapping, MutableHeaders, Pairs
from spry_core.protocol.events import RawFields, RequestHead, request_head
from spry_core.protocol.handshake import examine
from spry_core.protocol.head import EMPTY
from spry_core.web.body import RequestBody, too_large
from spry_core.web.cookies import parse_cookies
from spry_core.web.exceptions import Abort
from spry_core.web.exchange import Exchange
from spry_core.web.json_text import from_json
from spry_core.web.response import Response
from spry_core.web.target import Target, parse_target
from spry_core.web.urlencoded import count_pairs, parse_pairs

_CHARSETS: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
}
"""What `Request.text` decodes; among Python's other codecs are some that a peer could make slow."""


_USUAL: Final = {b"GET": b"GET", b"1.1": b"1.1"}
"""What nearly every opening handshake says, so that all of them can have the same objects."""


class Taken(Protocol):
    """What a route has taken from a path, before anybody has asked for it; `routing.Match` is one."""

    @property
    def params(self) -> Sequence[tuple[str, str]]:
        """Pairs of name and value, decoded."""
        ...

    @property
    def catchall(self) -> tuple[str, ...]:
        """The segments without a name, decoded."""
        ...


class Params(MultiMapping):
    """What the route's pattern took from the path, decoded: the values of its ``:name`` segments."""

    __slots__ = ("catchall",)

    def __init__(self, pairs: Pairs = (), catchall: tuple[str, ...] = ()) -> None:
        super().__init__(pairs)
        self.catchall: tuple[str, ...] = catchall
        """The segments that ``*`` and ``**`` took, decoded, in order."""


_NO_PARAMS: Final = Params()


class Request:
    """One request; on a WebSocket route, the opening handshake, whose content is empty.

    Made by the dispatcher: `target` is the head's, taken apart, `params` what the route took from it.
    """

    __slots__ = (
        "_body",
        "_head",
        "_headers",
        "_is_collected",
        "_is_complete",
        "_is_upgraded",
        "_locals",
        "_packed",
        "_params",
        "_parts",
        "_upgrade_headers",
        "_whole",
        "exchange",
        "is_upgrade",
        "verdict",
    )

    def __init__(
        self,
        head: RequestHead,
        exchange: Exchange,
        params: Params | Taken | None = None,
        target: Target | None = None,
        is_upgrade: bool = False,
        verdict: Abort | Response | None = None,
    ) -> None:
        self._head = head
        self._packed: bytes | None = None  # its fields, when they are no more in it
        self.exchange: Final = exchange
        """The connection, as far as this request may use it. For those who build on the core; handlers need it for nothing."""
        self.is_upgrade: Final = is_upgrade
        """True if this is the opening handshake of a WebSocket for which there is a route. ``next()`` then gives a `CloseInfo`
        when the connection has ended, or the `Response` of who denied it."""
        self.verdict: Final = verdict
        """What will be answered if no middleware does, where no handler can: 404, 405 and their like; else None."""
        self._params = params
        self._parts = target
        # Any: as for `locals`.
        self._locals: dict[str, Any] | None = None
        self._body: RequestBody | None = None
        self._whole: bytes | None = None  # the one piece of content that has come, until there is a body
        self._is_complete = False
        self._is_collected = False
        self._is_upgraded = False
        self._headers: Headers | None = None
        self._upgrade_headers: MutableHeaders | None = None

    @property
    def head(self) -> RequestHead:
        """The event of the protocol, as on the wire."""
        if self._packed is None:
            return self._head
        whole = replace(self._head, headers=self._fields)
        return replace(whole, websocket=examine(whole, EMPTY, self.exchange.limits.max_fields))

    @property
    def _fields(self) -> RawFields:
        if self._packed is None:
            return self._head.headers
        pairs = [line.partition(b":") for line in self._packed.split(b"\n")] if self._packed else []
        return tuple([(name, value) for name, _, value in pairs])

    @property
    def params(self) -> Params:
        """What the route's pattern took from the path: ``params["name"]``, ``params.catchall``."""
        params = self._params
        if not isinstance(params, Params):
            params = self._params = _NO_PARAMS if params is None else Params(params.params, params.catchall)
        return params

    # Any: what is put in here is the application's own business, as are its types.
    @property
    def locals(self) -> dict[str, Any]:
        """What the application wants to remember for this request, or this WebSocket (``ws.locals`` is the same object)."""
        if self._locals is None:
            self._locals = {}
        return self._locals

    # The head

    @property
    def method(self) -> str:
        """The method, case-sensitive, such as ``"GET"`` (RFC 9110 §9.1)."""
        return self._head.method.decode("latin-1")

    @property
    def target(self) -> str:
        """The target as it came: path and query, percent-encoded (RFC 9112 §3.2)."""
        return self._head.target.decode("latin-1")

    @property
    def path(self) -> str:
        """The path, decoded. A decoded slash looks like any other here; routes decode segment by segment."""
        return self._target.path

    @property
    def query(self) -> MultiMapping:
        """The pairs of the query, decoded as a form is (RFC 3986 §3.4, WHATWG URL §5.1).

        Made for whoever asks and not kept, since many short pairs are a hundred times what they were on the wire.
        """
        return parse_pairs(self._target.query.encode("latin-1"))

    @property
    def scheme(self) -> str:
        """``"https"`` if TLS ends here, else ``"http"`` (RFC 9110 §4.2)."""
        return "https" if self.exchange.stream.secure else "http"

    @property
    def host(self) -> str:
        """Host and port that the client wants, as it wrote them; empty if it did not (RFC 9110 §7.2, RFC 9112 §3.2.2)."""
        authority = self._target.authority
        return self.headers.get("host", "") if authority is None else authority

    @property
    def http_version(self) -> str:
        """``"1.1"`` or ``"1.0"``."""
        return self._head.http_version.decode("latin-1")

    @property
    def headers(self) -> Headers:
        """The header section: names without case, values as latin-1 (RFC 9110 §5)."""
        if self._headers is None:
            self._headers = Headers.from_raw(self._fields)
        return self._headers

    @property
    def cookies(self) -> MultiMapping:
        """The cookies (RFC 6265 §4.2). Made for whoever asks and not kept, as `query` is."""
        return parse_cookies(self.headers.get_all("cookie"))

    @property
    def peer(self) -> str:
        """The peer's address, such as ``"127.0.0.1:50312"``; empty if it has none."""
        return self.exchange.stream.peer

    @property
    def upgrade_headers(self) -> MutableHeaders:
        """Fields that the 101 will have, and no other answer; after it, setting one raises `ResponseSealedError`."""
        if self._upgrade_headers is None:
            self._upgrade_headers = MutableHeaders()
            if self._is_upgraded:
                self._upgrade_headers.seal()
        return self._upgrade_headers

    def upgrade_fields(self) -> RawFields:
        """Return what is in `upgrade_headers`. For who sends the 101."""
        return () if self._upgrade_headers is None else self._upgrade_headers.raw()

    @property
    def is_upgraded(self) -> bool:
        """True as soon as the 101 is on its way: no response can be given any more."""
        return self._is_upgraded

    def seal(self) -> None:
        """Take note that the 101 is on its way. For who sends it."""
        self._is_upgraded = True
        self._body = None  # it was empty
        # A WebSocket may live for days and hardly ever asks for a field again: in one piece they take a third of the memory.
        self._packed = b"\n".join([name + b":" + value for name, value in self._head.headers])
        head = self._head
        method, version = (
            _USUAL.get(head.method, head.method),
            _USUAL.get(head.http_version, head.http_version),
        )
        self._head = self.exchange.head = request_head(method, head.target, (), version)
        if self._upgrade_headers is not None:
            self._upgrade_headers.seal()

    @property
    def content_length(self) -> int | None:
        """Bytes of content that the client announced, or None if it did not, as in chunks (RFC 9110 §8.6)."""
        for name, value in self._fields:  # not `headers`, which need not be made for this
            if name.lower() == b"content-length":
                return int(value)
        return None

    @property
    def media_type(self) -> str:
        """Type and subtype of the content, in lower case and without parameters; empty if it has none (RFC 9110 §8.3.1)."""
        return self.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()

    # The content

    @property
    def body(self) -> RequestBody:
        """The content, an async iterator of bytes; or take it whole by `read`, `text`, `json` or `form`."""
        if self._body is None:
            self._body = RequestBody(self.exchange, is_complete=self._is_complete or self._is_upgraded)
            if self._whole is not None:
                self._body.deliver(self._whole)
                self._whole = None
            if self._is_collected:
                self._body.begin_to_collect()
        return self._body

    def deliver_body(self, data: bytes) -> None:
        """Take a piece of the content. For the session; if it is all of the content, no body is made for it."""
        if self._body is None and self._whole is None:
            self._whole = data
        else:
            self.body.deliver(data)

    def finish_body(self, trailers: RawFields = ()) -> None:
        """Take the end of the content. For the session; of a request without content no body is made for it."""
        self._is_complete = True
        if self._body is not None or trailers:
            self.body.finish(trailers)

    def fail_body(self, error: ConnectionClosed) -> None:
        """Say that no more of the content will come, unless it is complete. For the session."""
        if self._body is not None or not (self._is_complete or self._is_upgraded):
            self.body.fail(error)

    async def read(self, max_size: int | None = None) -> bytes:
        """Return the whole content; called again, the same.

        Cancelled it loses nothing: the next call goes on from there.

        Args:
            max_size: Bytes; None for `Limits.max_body`.

        Raises:
            Abort: 413, at once if Content-Length says so; the connection ends with the answer (RFC 9110 §15.5.14).
            ConnectionLost: The peer has left before the end.
            LocalProtocolError: Another task is reading, or pieces were taken from `body` already.
        """
        limit = self.exchange.limits.max_body if max_size is None else max_size
        content = self._whole
        if content is not None and self._is_complete and len(content) <= limit:
            self._is_collected = True  # as `collect` would leave it, which has nothing to wait for
            await self.exchange.driver.checkpoint(False)
            return content
        if (self.content_length or 0) > limit:
            raise too_large()
        return await self.body.collect(limit)

    async def text(self, max_size: int | None = None) -> str:
        """Return the content as text: UTF-8 unless its type says US-ASCII or ISO-8859-1.

        Raises what `read` raises, `Abort(415)` for another charset, and `Abort(400)` for bytes that are none of it.
        """
        charset = _CHARSETS.get(self._charset)
        if charset is None:
            raise Abort(415, "the charset of the content is not supported")
        try:
            return (await self.read(max_size)).decode(charset)
        except UnicodeDecodeError:
            raise Abort(400, f"the content is not {charset}") from None

    # Any: the types are those of the peer's JSON.
    async def json(self, max_size: int | None = None) -> Any:  # noqa: ANN401
        """Return the value that the content is in JSON, whatever its type says (RFC 8259).

        Raises what `read` raises, and `Abort(400)` for what is no JSON in UTF-8.
        """
        content = await self.read(max_size)
        try:
            return from_json(content.decode())
        except ValueError:
            raise Abort(400, "the content is not JSON") from None

    async def form(self, max_size: int | None = None, max_fields: int = 1000) -> MultiMapping:
        """Return the fields of a form that was sent as ``application/x-www-form-urlencoded`` (WHATWG URL §5.1).

        Raises what `read` raises, `Abort(415)` for another media type, and `Abort(413)` for more than `max_fields` fields.
        """
        if self.media_type != "application/x-www-form-urlencoded":
            raise Abort(415, "the content is not application/x-www-form-urlencoded")
        content = await self.read(max_size)
        if count_pairs(content) > max_fields:
            raise Abort(413, "the form has too many fields")
        return parse_pairs(content)

    @property
    def _target(self) -> Target:
        if self._parts is None:
            self._parts = parse_target(self.target, self.method)
        return self._parts

    @property
    def _charset(self) -> str:
        """The charset parameter of the type, in lower case; empty if there is none (RFC 9110 §8.3.2)."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip(" \t").lower() == "charset":
                return value.strip(' \t"').lower()
        return ""

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"


HttpHandler: TypeAlias = Callable[[Request], object]
"""Answers requests: takes one, returns what `to_response` takes, or an awaitable of that."""
