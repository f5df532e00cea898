"""A machine that is the peer of one WebSocket: messages, fragments, Pings, silence, Close, faults, losses (RFC 6455)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from spry_core.protocol import Close
from spry_core.testing.frames import CLOSE_FRAME, CONTINUATION, PING, PONG, Frame, close_payload
from spry_core.testing.machines.harness import Machine, Steps
from spry_core.testing.machines.line import Line, frame_of
from spry_core.testing.strategies import (
    BrokenWebSocket,
    broken_websockets,
    closes,
    control_payloads,
    cutters,
    messages,
)
from spry_core.testing.strategies.cuts import Cut


class WebSocketPeer(Machine):
    """A peer of one WebSocket that reads all it is sent, and now and then leaves in any way there is.

    Say what your handler answers to each message, and the machine finds a conversation in which it does not: an answer that
    is missing, wrong, doubled or out of order, a Ping without its Pong, a Close frame without its answer, anything behind the
    end, a handler that fails or outlives its connection.
    """

    def messages(self) -> st.SearchStrategy[str | bytes]:
        """Give the messages that the peer may send; any at all, if your handler takes any."""
        return messages(max_size=20)

    def greeting(self) -> Sequence[str | bytes]:
        """Return what the handler sends of its own accord, when the WebSocket is open."""
        return []

    def expected(self, message: str | bytes) -> Sequence[str | bytes | Close]:
        """Return the messages with which the handler answers this one, in order; a `Close` if it closes then."""
        raise NotImplementedError(f"{type(self).__name__}.expected says what is answered to a message")


class WebSocketSteps(Steps[WebSocketPeer]):
    """The steps of that peer. What has come is compared after each of them."""

    def __init__(self, model: WebSocketPeer) -> None:
        super().__init__(model)
        self._open()

    def _open(self) -> None:
        self.line: Line = Line(self.client, self.model.target)
        self.expected: list[str | bytes] = list(self.model.greeting())
        """All messages that the server must send, in order."""
        self.pings: list[bytes] = []
        """Payloads of all Pings sent, each of which wants its Pong."""
        self.begun: str | bytes | None = None
        """The message of which fragments were sent, but not the last one."""
        self.unsent: bytes = b""
        """What is left of it."""
        self.close: Close | None = None
        """What the server must say in its Close frame, as soon as that is known."""
        self.is_over: bool = False
        """True if nothing more may be sent."""
        self.is_cut: bool = False
        """True if this peer has cut the stream, so that nothing comes any more."""
        self.check()

    # ------------------------------------------------------------------------------------------------------- steps

    def _is_free(self) -> bool:
        return not self.is_over and self.begun is None

    @precondition(_is_free)
    @rule(data=st.data(), number=st.integers(1, 3), cut=cutters())
    def send(self, data: st.DataObject, number: int, cut: Cut) -> None:
        """Send so many messages, each in one frame, cut anywhere."""
        for _ in range(number):
            if self.is_over:  # the handler has closed
                break
            message = data.draw(self.model.messages(), label="message")
            self.line.send(frame_of(message), cut=cut)
            self._expect(message)
            self.check()

    @precondition(_is_free)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Send the first fragment of a message (RFC 6455 §5.4)."""
        message = data.draw(self.model.messages(), label="message")
        whole = frame_of(message)
        size = data.draw(st.integers(0, len(whole.payload)), label="size")
        self.begun, self.unsent = message, whole.payload[size:]
        self.line.send(Frame(whole.opcode, whole.payload[:size], fin=False))
        self.check()

    @precondition(lambda self: not self.is_over and self.begun is not None)
    @rule(data=st.data(), is_last=st.booleans())
    def go_on(self, data: st.DataObject, is_last: bool) -> None:
        """Send a further fragment, or the last one with the rest; characters may be cut as well (RFC 6455 §5.6)."""
        assert self.begun is not None
        size = len(self.unsent) if is_last else data.draw(st.integers(0, len(self.unsent)), label="size")
        payload, self.unsent = self.unsent[:size], self.unsent[size:]
        self.line.send(Frame(CONTINUATION, payload, fin=is_last))
        if is_last:
            whole, self.begun = self.begun, None
            self._expect(whole)
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule(payload=control_payloads())
    def ping(self, payload: bytes) -> None:
        """Send a Ping, maybe between two fragments (RFC 6455 §5.5.2)."""
        self.pings.append(payload)
        self.line.send(Frame(PING, payload))
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule(payload=control_payloads())
    def pong(self, payload: bytes) -> None:
        """Send a Pong that nobody asked for (RFC 6455 §5.5.3)."""
        self.line.send(Frame(PONG, payload))
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        """Let time pass, and answer the keepalive Pings that come."""
        for _ in range(seconds):
            self.client.advance(1.0)
            self.line.read()
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule(close=closes())
    def say_close(self, close: Close) -> None:
        """Send a Close frame; it comes back with the same code, behind all answers (RFC 6455 §5.5.1)."""
        self._answered()
        payload = b"" if close.code is None else close_payload(close.code, close.reason)
        self.line.send(Frame(CLOSE_FRAME, payload))
        self.is_over, self.close = True, Close(code=close.code)
        self.check()

    @precondition(_is_free)
    @rule(broken=broken_websockets(messages=st.nothing()))
    def break_a_rule(self, broken: BrokenWebSocket) -> None:
        """Send what fails the connection (RFC 6455 §7.1.7)."""
        self._answered()
        self.line.send_bytes(broken.data)
        self.is_over, self.close = True, Close(code=broken.verdict.close_code)
        self.pings.extend(broken.before.pings)
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule()
    def half_close(self) -> None:
        """End the stream without a Close frame; the server ends it as well, and says nothing more (RFC 6455 §7.1.5)."""
        self._answered()
        self.is_over = True
        self.line.half_close()
        self.check()

    @precondition(lambda self: not self.is_over)
    @rule()
    def reset(self) -> None:
        """Cut the stream."""
        self._answered()
        self.check()
        self.is_over = self.is_cut = True
        self.line.reset()

    @precondition(lambda self: self.is_over and not self.is_cut)
    @rule(payload=control_payloads())
    def send_behind_the_end(self, payload: bytes) -> None:
        """Send more, as if nothing had happened; nobody reads it (RFC 6455 §1.4)."""
        self.line.send(Frame(PING, payload))
        self.check()

    @precondition(lambda self: self.is_over)
    @rule()
    def open_again(self) -> None:
        """See that the WebSocket ends as it must, and open another one."""
        self.finish()
        self.line.reset()
        self._open()

    # ------------------------------------------------------------------------------------------------------ checks

    def _expect(self, message: str | bytes) -> None:
        for answer in self.model.expected(message):
            if isinstance(answer, Close):
                self.is_over, self.close = True, answer
                break
            self.expected.append(answer)

    def _answered(self) -> None:
        """Wait until all answers are here, before something makes it unclear whether they still come."""
        self.wait_for(lambda: len(self.line.read()) >= len(self.expected))
        self.check(is_complete=True)

    def check(self, *, is_complete: bool = False) -> None:
        """Compare what has come with what was to come."""
        self.line.read()
        got, wanted = self.line.messages, self.expected
        if is_complete or not self.model.patience:
            assert got == wanted, f"the messages are {got!r}, and should be {wanted!r}"
        else:
            assert got == wanted[: len(got)], f"the messages are {got!r}, and should begin {wanted!r}"
        pongs, pings = self.line.pongs, self.pings
        assert pongs == pings, f"the Pongs are {pongs!r}, and should be {pings!r} (RFC 6455 §5.5.2)"
        self._check_close()
        self.check_log()

    def _check_close(self) -> None:
        said = self.line.close
        if not self.is_over:
            assert said is None, f"the server closes with {said}, and should not"
            assert not self.line.is_over, "the server has ended the stream, and should not have"
        elif self.close is not None:
            assert said is not None, (
                f"no Close frame came, and {self.close.code} should have (RFC 6455 §5.5.1)"
            )
            assert said.code == self.close.code, (
                f"the close code is {said.code}, and should be {self.close.code}"
            )

    def finish(self) -> None:
        """See that all answers are here and, if either side has closed, that the server ends the stream."""
        if not self.is_over:
            self._answered()
            return
        if self.is_cut:
            return
        self.line.answer_close()
        self.client.advance((self.model.timeouts.close_timeout or 0.0) + self.model.patience)
        self.line.read()
        assert self.line.is_over, "the server does not end the stream (RFC 6455 §7.1.1)"
        self.check()


WebSocketPeer.steps = WebSocketSteps
