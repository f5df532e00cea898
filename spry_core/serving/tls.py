"""TLS between a pump and a session, with the session's face on the one side and a session on the other.

The pump sees bytes, a deadline and an end as everywhere; the session sees plaintext. Between them stands what the adapter
made of an `ssl.SSLContext`: an object that does the cryptography and two buffers in memory. So this file does no I/O, and is
the same for every backend. What it decides:

- There is no session before the handshake is complete. Until then the stage itself stands in the server's list, counts for
  `Limits.max_connections`, and obeys `Timeouts.tls_handshake`, a shutdown and an abort; the time that a client has for its
  first head begins when the handshake is over.
- Everything that one read brings is decrypted at once and given to the session as one piece. Ciphertext is never shorter than
  its plaintext, so the promise "one more read, when reading has stopped" holds for plaintext as well, and none is kept here.
- Plaintext counts as written when the ciphertext up to it has gone, and so does its send water mark and its write deadline.
  What TLS itself has to say (handshake, tickets, key updates, alerts) nobody else counts: it has a write deadline here, and
  a peer that makes us talk and does not listen is not read any more.
- A half-close is a close_notify, the stream below stays open both ways (RFC 8446 §6.1; TLS 1.2 can do it as well).
- An end of stream without close_notify is a loss and not an end: nobody knows whether the peer or somebody on the way cut it
  (RFC 8446 §6.1). After our own close_notify it is an end: nothing was to come but that (RFC 9112 §9.8).
- Every other error of TLS is a loss too. The alert that says which is still written before the stream is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from spry_core.closing import ConnectionLost
from spry_core.driver import Driver
from spry_core.errors import RemoteProtocolError
from spry_core.protocol.limits import Timeouts
from spry_core.protocol.memory import READ_SIZE
from spry_core.protocol.stream import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving.ciphertext import Ciphertext
from spry_core.serving.face import Served
from spry_core.serving.journal import record_peer_fault
from spry_core.serving.record import LogRecord

PIECE: Final = 16 * 1024
"""Bytes that go through a buffer at once, a full record (RFC 8446 §5.1): a buffer in memory keeps the size it once had."""

MAX_OWN: Final = 64 * 1024
"""Unsent bytes of TLS's own at which reading stops: what a peer can make us say without ever listening."""


class TlsObject(Protocol):
    """What does the cryptography: an `ssl.SSLObject` for the server's side."""

    def do_handshake(self) -> None:
        """Go on with the handshake as far as the bytes go."""
        ...

    def read(self, len: int = 1024, /) -> bytes:
        """Return plaintext, at most a record; none at the peer's close_notify."""
        ...

    def write(self, data: bytes, /) -> int:
        """Encrypt all of this."""
        ...

    def unwrap(self) -> object:
        """Say close_notify."""
        ...


class TlsBuffer(Protocol):
    """Ciphertext on its way in or out: an `ssl.MemoryBIO`."""

    def read(self, size: int = -1, /) -> bytes:
        """Take out what is there."""
        ...

    def write(self, data: bytes, /) -> int:
        """Put this in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """One TLS connection, made by an adapter: the core does not import `ssl`."""

    object: TlsObject
    """The server's side of it."""

    incoming: TlsBuffer
    """Where the object takes the peer's bytes from."""

    outgoing: TlsBuffer
    """Where it puts ours."""

    want_read: type[Exception]
    """`ssl.SSLWantReadError`: more bytes are needed."""

    zero_return: type[Exception]
    """`ssl.SSLZeroReturnError`: the peer has said close_notify, and so have we."""

    error: type[Exception]
    """`ssl.SSLError`, of which the others are kinds: the connection has failed."""


class Owner(Protocol):
    """What the stage needs of its server."""

    def report(self, record: LogRecord) -> None:
        """Take a record for the log."""
        ...

    def hold(self, served: Served) -> None:
        """Count this as a connection."""
        ...

    def forget(self, session: Served) -> None:
        """It is no connection any more, or another stands for it."""
        ...


class TlsStage:
    """Serves one stream over TLS: first the handshake, then a session behind it."""

    def __init__(
        self,
        owner: Owner,
        tls: Tls,
        driver: Driver,
        *,
        peer: str,
        timeouts: Timeouts,
        open_session: Callable[[], Served],
    ) -> None:
        """Begin at the start of an accepted stream.

        Args:
            owner: Counts it and takes the log.
            tls: What the adapter made for this stream.
            driver: As for the session.
            peer: The peer's address for the log, empty if it has none.
            timeouts: `tls_handshake` and `write` count here.
            open_session: Makes the session when the handshake is complete, and counts it from then on.
        """
        self._owner = owner
        self._tls = tls
        self._driver = driver
        self._peer = peer
        self._open_session = open_session
        self._session: Served | None = None
        seconds = timeouts.tls_handshake
        self._handshake_until = None if seconds is None else driver.now() + seconds
        self._has_received = False
        self._is_at_end = False  # the peer has said close_notify
        self._has_said_close = False  # and we have
        self._end: StreamEnd | None = None
        self._fetched_end: StreamEnd | None = None
        self._is_lost = False
        self._ciphertext = Ciphertext(timeouts.write)

    # The pump's half

    def receive_data(self, data: bytes, now: float) -> None:
        """Take ciphertext from the peer; the session gets all that it contains as one piece."""
        if self._end is not None or self._is_at_end:
            return
        self._has_received = True
        self._receive((data[start : start + PIECE] for start in range(0, len(data), PIECE)), now)

    def receive_eof(self, now: float) -> None:
        """Take note that the peer has ended the stream below TLS: rightly after a close_notify of either side."""
        if self._end is not None or self._is_at_end:
            return
        if self._session is None:
            self._fail_handshake("the peer has left", now)
        elif self._has_said_close:
            self._is_at_end = True
            self._session.receive_eof(now)
        else:
            # All that came has been read, and there was no close_notify in it. `ssl` is not asked, since what it says
            # to that depends on the release of Python.
            self._lose(CLOSE, ConnectionLost(None, "the stream ended without close_notify"), now)

    def connection_lost(self, error: Exception | None, now: float) -> None:
        """Take note that the stream is gone."""
        if self._is_lost:
            return
        self._is_lost = True
        self._handshake_until = None
        self._ciphertext.give_up()
        self._owner.forget(self)
        if self._session is not None:
            self._session.connection_lost(error, now)

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` bytes of ciphertext, and tell the session what that was of its own."""
        credit = self._ciphertext.take(n, now)
        if credit and self._session is not None:
            self._session.bytes_written(credit, now)

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over the ciphertext of what the session has to say, and of what TLS has."""
        self._take_from_session()
        data: list[bytes | StreamEnd] = list(self._ciphertext.fetch())
        if self._end is not self._fetched_end:
            assert self._end is not None
            self._fetched_end = self._end
            data.append(self._end)
        return data

    @property
    def wants_read(self) -> bool:
        """False: do not read the stream now; one more read is still taken."""
        if self._end is not None or self._is_lost or self._ciphertext.own > MAX_OWN:
            return False
        return self._session is None or self._session.wants_read

    @property
    def read_size(self) -> int:
        """How many bytes to ask the stream for in one read, at most: no more than of HTTP, since all of it is kept twice."""
        return READ_SIZE

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        of_session = None if self._session is None else self._session.next_deadline()
        moments = (of_session, self._handshake_until, self._ciphertext.deadline)
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`; the session's write deadline comes before our own."""
        if self._session is not None:
            self._session.handle_deadline(now)
            self._take_from_session()
        if self._handshake_until is not None and now >= self._handshake_until:
            self._fail_handshake("it took too long", now)
        write_until = self._ciphertext.deadline
        if write_until is not None and now >= write_until:
            self._lose(ABORT, ConnectionLost(None, "the peer does not read"), now)

    @property
    def closed(self) -> bool:
        """True when the stream is gone and every task has ended."""
        return self._is_lost and (self._session is None or self._session.closed)

    # The server's half

    @property
    def is_websocket(self) -> bool:
        """True since the stream switched to WebSocket."""
        return self._session is not None and self._session.is_websocket

    def shutdown(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """End politely (see `Session.shutdown`); in the handshake, where nothing was asked yet, at once."""
        if self._session is None:
            self.drain(now)
            self._driver.notify()
        else:
            self._session.shutdown(now, code, reason, grace=grace)

    def drain(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """Do the same, for who looks afterwards anyway."""
        if self._session is None:
            self._advance(CLOSE)
        else:
            self._session.drain(now, code, reason, grace=grace)

    def abort(self, now: float) -> None:
        """End at once: the stream is reset and the session's tasks are cancelled."""
        self._advance(ABORT)
        if self._session is None:
            self._driver.notify()
        else:
            self._session.abort(now)

    # Receiving

    def _receive(self, pieces: Iterator[bytes], now: float) -> None:
        """Decrypt, and give the session what came before an end or an error before telling of that."""
        plaintext: list[bytes] = []
        failure: Exception | None = None
        try:
            for piece in pieces:
                self._tls.incoming.write(piece)
                self._take_in(plaintext)
        except self._tls.zero_return:
            self._is_at_end = True
        except self._tls.error as error:
            failure = error
        self._collect()
        self._pass_on(b"".join(plaintext), now)
        if failure is not None:
            self._fail(failure, now)

    def _take_in(self, plaintext: list[bytes]) -> None:
        """Go through what is there, until more is wanted or the peer has said that there will be none."""
        try:
            if self._session is None:
                self._tls.object.do_handshake()
                self._begin()
            while not self._is_at_end:
                data = self._tls.object.read(PIECE)
                plaintext.append(data)
                self._is_at_end = not data
        except self._tls.want_read:
            pass

    def _begin(self) -> None:
        """The handshake is complete: from now on a session stands for this stream."""
        self._handshake_until = None
        self._session = self._open_session()
        self._owner.forget(self)

    def _pass_on(self, plaintext: bytes, now: float) -> None:
        if self._session is None:
            return
        if plaintext:
            self._session.receive_data(plaintext, now)
        if self._is_at_end:
            self._session.receive_eof(now)

    # Failing

    def _fail(self, error: Exception, now: float) -> None:
        """Close after an error of TLS: the alert is written already, the session is told that its stream is lost."""
        if self._session is None:
            self._fail_handshake(_why(error), now)
            return
        if (
            not self._has_said_close
        ):  # behind the end of our side it changes nothing, and had its line perhaps
            self._report(f"TLS failed: {_why(error)}")
        self._lose(CLOSE, error, now)

    def _fail_handshake(self, why: str, now: float) -> None:
        """Give up before there is a session. Who said nothing at all has done nothing wrong: clients connect ahead of need."""
        if self._has_received:
            self._report(f"TLS handshake failed: {why}")
        self._advance(CLOSE)

    def _lose(self, end: StreamEnd, error: Exception, now: float) -> None:
        """End the stream and tell the session that it is lost; until it is gone the stage counts in its place."""
        self._advance(end)
        if self._session is not None:
            self._owner.hold(self)
            self._session.connection_lost(error, now)

    def _report(self, fault: str) -> None:
        error = RemoteProtocolError(fault, section="RFC 8446 §6.2")
        self._owner.report(record_peer_fault(self._peer, None, error))

    # Sending

    def _take_from_session(self) -> None:
        """Encrypt what the session has to say, and end as it wants to."""
        if self._session is None or self._end is ABORT:
            return
        batch = self._session.data_to_send()
        try:
            self._encrypt(b"".join([item for item in batch if isinstance(item, bytes)]))
        except self._tls.error as error:
            self._fail(error, self._driver.now())
        if batch and isinstance(end := batch[-1], StreamEnd):
            self._end_as(end)

    def _encrypt(self, plaintext: bytes) -> None:
        for start in range(0, len(plaintext), PIECE):
            piece = plaintext[start : start + PIECE]
            self._tls.object.write(piece)
            self._collect(len(piece))

    def _end_as(self, end: StreamEnd) -> None:
        """Say close_notify where our direction ends; the stream below is closed only where both do (RFC 8446 §6.1)."""
        if end is not ABORT and not self._has_said_close:
            self._has_said_close = True
            try:
                self._tls.object.unwrap()
            except self._tls.error:
                pass  # it would like to have the peer's too, and that comes when it comes
            self._collect()
        if end is not HALF_CLOSE:
            self._advance(end)

    def _advance(self, end: StreamEnd) -> None:
        self._handshake_until = None
        if self._end is not ABORT:
            self._end = end
        if end is ABORT:
            self._ciphertext.give_up()

    def _collect(self, of_session: int = 0) -> None:
        """Take the ciphertext that has been made, which carries so many bytes of the session's."""
        self._ciphertext.add(self._tls.outgoing.read(), of_session, self._driver.now())


def _why(error: Exception) -> str:
    """Say what an error says, without the line of Python's source in which it was made."""
    return str(error).partition(" (_ssl.c:")[0]
