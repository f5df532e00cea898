"""A machine that is a client of HTTP/1.1: keep-alive, pipelines, requests in pieces, faults, ends (RFC 9112)."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from spry_core.testing.machines.answers import Answer, AnswerReader
from spry_core.testing.machines.harness import Machine, Steps
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.strategies import BrokenRequests, Cut, HttpRequest, broken_requests, cutters, requests


class HttpClient(Machine):
    """A client that asks one thing after the other, or before the other is answered, on connections that last or do not.

    Say which requests your application is for and what it answers to each, and the machine finds an answer that is missing,
    wrong or out of order, a connection that ends too soon or too late, anything served behind a fault.
    """

    def requests(self) -> st.SearchStrategy[HttpRequest]:
        """Give the requests that come up."""
        return requests(targets=st.just(self.target.encode()))

    def expected(self, request: HttpRequest) -> Answer:
        """Return how the application answers; that HEAD has no content need not be said."""
        raise NotImplementedError(f"{type(self).__name__}.expected says what is answered to a request")


class HttpSteps(Steps[HttpClient]):
    """The steps of that client. What has come is compared after each of them."""

    def __init__(self, model: HttpClient) -> None:
        super().__init__(model)
        self.peer: MemoryPeer | None = None
        self.reader: AnswerReader = AnswerReader()
        self.waiting: Final[list[tuple[bytes, Answer]]] = []
        """The methods of the requests that are not answered, and the answers that must come, in order."""
        self.must_end: bool = False
        """True if the server must end the connection behind the last answer."""
        self.held: bytes = b""
        """What is left to send of a request that was begun."""
        self.idle_since: float = 0.0
        """When the last byte went either way."""

    # ------------------------------------------------------------------------------------------------------- steps

    def _is_between(self) -> bool:
        return not self.held

    def _draw(self, data: st.DataObject) -> HttpRequest:
        return data.draw(self.model.requests(), label="request")

    @precondition(_is_between)
    @rule(data=st.data(), cut=cutters())
    def ask(self, data: st.DataObject, cut: Cut) -> None:
        """Send one request, cut anywhere."""
        request = self._draw(data)
        self._expect(request)
        for piece in cut(request.data):
            self._send(piece)
        self.check()

    @precondition(_is_between)
    @rule(data=st.data(), count=st.integers(2, 4))
    def pipeline(self, data: st.DataObject, count: int) -> None:
        """Send several requests in one piece (RFC 9112 §9.3.2)."""
        sent = b""
        for _ in range(count):
            if not self.must_end:
                request = self._draw(data)
                self._expect(request)
                sent += request.data
        self._send(sent)
        self.check()

    @precondition(_is_between)
    @rule(data=st.data(), size=st.integers(1, 200))
    def begin(self, data: st.DataObject, size: int) -> None:
        """Send the first bytes of a request."""
        request = self._draw(data)
        self._expect(request)
        self.held = request.data[size:]
        self._send(request.data[:size])
        self.check()

    @precondition(lambda self: self.held)
    @rule(size=st.integers(1, 400))
    def go_on(self, size: int) -> None:
        """Send more of the request that was begun."""
        piece, self.held = self.held[:size], self.held[size:]
        self._send(piece)
        self.check()

    @precondition(_is_between)
    @rule(broken=broken_requests(max_before=0))
    def break_a_rule(self, broken: BrokenRequests) -> None:
        """Send what must be refused; the connection ends with that (RFC 9112 §9.6)."""
        status_code = broken.verdict.status_code
        assert status_code is not None
        self._connect()
        self.waiting.append((b"GET", Answer(status_code=status_code)))
        self.must_end = True
        self._send(broken.data)
        self.check()

    @precondition(_is_between)
    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        """Let time pass between two requests; an idle connection ends when `Timeouts.keep_alive` has passed (RFC 9112 §9.5)."""
        self.client.advance(float(seconds))
        keep_alive = self.model.timeouts.keep_alive
        if keep_alive is not None and self.client.now - self.idle_since >= keep_alive:
            self.must_end = self.peer is not None
        self.check()

    @precondition(lambda self: self.peer is not None and not self.held)
    @rule()
    def half_close(self) -> None:
        """Send no more; what was asked for is answered, then the server ends the connection (RFC 9112 §9.6)."""
        assert self.peer is not None
        self.peer.half_close()
        self.must_end = True
        self.check()

    @precondition(lambda self: self.peer is not None)
    @rule()
    def reset(self) -> None:
        """Cut the stream, maybe in the midst of a request."""
        assert self.peer is not None
        self.peer.reset()
        self._forget()
        self.check_log()

    # ------------------------------------------------------------------------------------------------------ checks

    def _connect(self) -> MemoryPeer:
        if self.peer is None or self.must_end:
            self._forget()
            self.peer = self.client.connect()
        return self.peer

    def _forget(self) -> None:
        """Go on with a new connection; what this one still owes is not looked at any more."""
        if self.peer is not None:
            self.peer.close()
        self.peer, self.reader, self.must_end, self.held = None, AnswerReader(), False, b""
        self.waiting.clear()

    def _send(self, data: bytes) -> None:
        assert self.peer is not None
        self.peer.send(data)
        self.idle_since = self.client.now

    def _expect(self, request: HttpRequest) -> None:
        self._connect()
        self.waiting.append((request.method, self.model.expected(request)))
        self.must_end = request.is_last

    def check(self) -> None:
        """Compare what has come with what was to come, all of it if no request is half sent."""
        if self.peer is None:
            return
        owed = 1 if self.held else 0
        self.wait_for(lambda: self._read() <= owed)
        self._read()
        assert len(self.waiting) <= owed, f"no answer came, and this one should have: {self.waiting[0][1]}"
        rest = self.reader.rest
        assert self.waiting or not rest, f"bytes that answer no request: {rest[:100]!r}"
        self._check_end(self.peer)
        self.check_log()

    def _read(self) -> int:
        """Read the answers that have come, compare them, and return how many are missing."""
        assert self.peer is not None
        self.reader.add(self.peer.take())
        while self.waiting:
            method, wanted = self.waiting[0]
            got = self.reader.take(method, is_ended=self.peer.is_ended)
            if got is None:
                break
            if method == b"HEAD" and wanted.content is not None:
                wanted = Answer(status_code=wanted.status_code, content=b"", headers=wanted.headers)
            wrong = wanted.misses(got)
            assert not wrong, wrong
            del self.waiting[0]
            self.idle_since = self.client.now
        return len(self.waiting)

    def _check_end(self, peer: MemoryPeer) -> None:
        is_over = peer.is_ended or peer.is_reset
        if self.must_end and not self.held:
            assert is_over, "the server does not end the connection, and should (RFC 9112 §9.3, §9.6)"
        elif not self.must_end:
            assert not is_over, "the server has ended the connection, and should not have (RFC 9112 §9.3)"


HttpClient.steps = HttpSteps
