"""Messages through DEFLATE and back, under an agreement (RFC 7692 §6, §7.2).

The payload data of a compressed message, over all its frames, are DEFLATE blocks that end with an empty one,
of which the last four bytes are left out. Each direction has a window of its own; it lives on from message to
message (context takeover) unless that direction has agreed to forget it. zlib's contexts are the expensive part
of a connection, so one is made by the first message that needs it, and dropped by the end of the message where
it would be forgotten.

What a peer sends is inflated only as far as the caller has room, and until its turn is over: blocks that hold nothing
cost time all the same. The rest stays as it came, compressed. A short message that is here whole and plainly in order, as
nearly all are, is inflated in one go.

A context for reading is as large as the agreed window and no larger. A peer that looks further back than it
agreed to is found out or understood, never misread; which of the two depends on how its bytes were cut, since
zlib looks into its window only for what it has not just returned. Always keeping 32 KiB would make it certain,
and would cost every peer that keeps its word what the agreement has saved.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from typing import Final, Protocol, Self

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.deflate import FEWEST_BITS, MOST_BITS, Agreement, Deflate
from spry_core.protocol.engines import AT_ONCE, Role
from spry_core.protocol.turn import Turn

LEVEL: Final = 1
"""The level for `Deflate.level` None: the fastest. Level 6 needs nearly twice the time to make the messages of a
chat a tenth smaller, and no other memory.
"""

_TAIL: Final = b"\x00\x00\xff\xff"
"""What every compressed message ends with and none carries (RFC 7692 §7.2.1)."""

_EMPTY_BLOCK: Final = b"\x00" + _TAIL
"""A block of no bytes, after which the next one begins at a whole byte (RFC 7692 §7.2.3.6)."""

_LAST_BLOCK: Final = b"\x01" + _TAIL
"""The same, saying of itself that it is the last (RFC 1951 §3.2.3)."""

_STEP: Final = 64
"""Compressed bytes that count as a step: at worst they are nothing but the tables of blocks without content. The end of
a stream of blocks, after two bytes at the earliest, counts as another, since it costs a context.
"""


class _Deflating(Protocol):
    """zlib's compression object, which has no public name."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data; return what has become of some of them."""
        ...

    def flush(self, mode: int, /) -> bytes:
        """Return the rest."""
        ...


class _Inflating(Protocol):
    """zlib's decompression object, which has no public name."""

    @property
    def eof(self) -> bool:
        """True behind a last block."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given behind a last block."""
        ...

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and not used for want of room."""
        ...

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        """Take data; return at most `max_length` bytes, or all for 0."""
        ...

    def copy(self) -> Self:
        """Return another one in the same state."""
        ...


class Compressor:
    """Compresses the messages that we send.

    Whatever the agreement allows, it keeps to our own settings where they ask for less memory: a smaller window,
    or forgetting it, is nothing that a peer has to know.
    """

    __slots__ = ("_bits", "_context", "_forgets", "_level", "_mem_level", "_threshold")

    def __init__(self, agreement: Agreement, role: Role, deflate: Deflate) -> None:
        """Serve our direction of `agreement`; `deflate` are our own settings."""
        if role == "server":
            bits, wanted = agreement.server_max_window_bits, deflate.server_max_window_bits
            forgets = agreement.server_no_context_takeover or deflate.server_no_context_takeover
        else:
            bits, wanted = agreement.client_max_window_bits, deflate.client_max_window_bits
            forgets = agreement.client_no_context_takeover or deflate.client_no_context_takeover
        self._bits = min(bits or MOST_BITS, wanted)
        self._forgets = forgets
        self._level = LEVEL if deflate.level is None else deflate.level
        self._mem_level = deflate.mem_level
        self._threshold = deflate.threshold
        self._context: _Deflating | None = None

    def wants(self, size: int, compress: bool | None = None) -> bool:
        """Decide whether a message of `size` bytes is compressed: as `compress` says, by the threshold if that
        is None, and never where the agreement leaves us a window of 8 bits, which zlib cannot compress with.
        """
        if self._bits < FEWEST_BITS:
            return False
        return size >= self._threshold if compress is None else compress

    def compress(self, data: bytes, *, ends_message: bool) -> bytes:
        """Return the payload data of the next frame of a compressed message.

        All of `data` is in it: nothing waits for the next call, so a fragment can be read when it arrives. It is
        empty only for no data that end no message. A message that is sent uncompressed must not pass here: the
        peer's window would not have it.

        RFC 7692 §7.2.1.
        """
        if data:
            context = self._context
            if context is None:
                context = zlib.compressobj(self._level, zlib.DEFLATED, -self._bits, self._mem_level)
                self._context = context
            payload = context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)
        else:
            payload = _EMPTY_BLOCK if ends_message else b""
        if not ends_message:
            return payload
        if self._forgets:
            self._context = None
        return payload[: -len(_TAIL)]


class Decompressor:
    """Inflates the messages that we receive, as far as there is room.

    After a `RemoteProtocolError` it is of no further use: the connection must be failed.
    """

    __slots__ = (
        "_bits",
        "_context",
        "_fault",
        "_forgets",
        "_has_more",
        "_held",
        "_is_ending",
        "_is_odd",
        "_turn",
    )

    def __init__(self, agreement: Agreement, role: Role, turn: Turn | None = None) -> None:
        """Serve the peer's direction of `agreement`; `role` is ours. Steps are those of `turn`; without one, there is
        always time.
        """
        if role == "server":
            bits, forgets = agreement.client_max_window_bits, agreement.client_no_context_takeover
        else:
            bits, forgets = agreement.server_max_window_bits, agreement.server_no_context_takeover
        # zlib inflates raw DEFLATE with 8 too; but where it should compress with 8, its versions before 1.2.9
        # compressed with 9 and said nothing, and a larger window reads all that was made for a smaller one.
        self._bits = max(bits or MOST_BITS, FEWEST_BITS)
        self._forgets = forgets
        self._turn = turn
        self._context: _Inflating | None = None
        self._held = bytearray()  # compressed, in the order in which it came
        self._is_ending = False  # all of the message is in `_held`, or has been
        self._has_more = False
        self._is_odd = False  # `take_message` has seen the message, and left it to `decompress`
        # Found, and to be told when what stands before it is out.
        self._fault: RemoteProtocolError | None = None

    @property
    def has_more(self) -> bool:
        """True while more may come out of what was put in: make room or wait for the next turn, and call `decompress` with
        ``b""``.

        Where the room was exactly enough it is true as well, and nothing more will come: zlib says that it has
        come to the end only when it has room to go on.
        """
        return self._has_more

    @property
    def has_time(self) -> bool:
        """True until the turn is over."""
        return self._turn is None or self._turn.left > 0

    def take_message(self, data: bytes, is_text: bool, longest: int) -> tuple[str | bytes, int] | None:
        """Take all the payload data of a message, at most `AT_ONCE`; return the message and how many bytes it is.

        None if it is not plainly in order, longer than `longest` or in more than one stream of blocks, and when the turn is
        over. Then it is as good as not taken: put it into `decompress`, which knows what is wrong with it and what is not. Ask
        only between two messages.

        RFC 7692 §7.2.2.
        """
        turn = self._turn
        if self._is_odd or (turn is not None and turn.left <= 0):
            return None
        self._is_odd = True
        old = self._context
        # A copy costs less than the shortest message does, and this one is forgotten if the message is not in order.
        context = zlib.decompressobj(-self._bits) if old is None else old.copy()
        try:
            inflated = context.decompress(data, longest + 1)
            size = len(inflated)
            message = inflated.decode() if is_text and size <= longest else inflated
        except (zlib.error, UnicodeDecodeError):
            return None
        if size > longest:
            return None
        is_whole = not context.eof
        if is_whole:
            # Only its end can be wrong now, and then that fault is all there is to tell. No third context at any time.
            self._context = old = context
            if not self._take_tail():
                self._fault = _incomplete()
                return None
            if self._forgets:
                self._context = None
            self._is_odd = False
        if turn is not None:
            turn.spend(1 + len(data) // _STEP, size)
        return (message, size) if is_whole else None

    def decompress(self, data: bytes, max_length: int, *, ends_message: bool = False) -> bytes:
        """Take payload data of a compressed message; return what they inflate to, at most `max_length` bytes.

        What finds no room or no time waits, compressed, for the next call; all of it does if `max_length` is 0 or less. The
        message is over when `ends_message` was said, with its last data and perhaps again, and `has_more` is
        False; only then may data of another one come.

        Raises:
            RemoteProtocolError: The data are not DEFLATE, or do not end where a message can: Close 1007. What
                comes out before the fault is returned first.

        RFC 7692 §7.2.2.
        """
        self._held += data
        self._is_ending = self._is_ending or ends_message
        self._has_more = True
        pieces, room = list[bytes](), max_length
        while self._has_more and room > 0 and self.has_time:
            if self._fault is not None:
                if room == max_length:
                    raise self._fault
                break
            piece = self._inflate(room)
            pieces.append(piece)
            room -= len(piece)
            if room and not self._held and self._fault is None:
                self._end_input()
        return b"".join(pieces)

    def _inflate(self, room: int) -> bytes:
        """Inflate some of what is held, at most `room` bytes; either those are full or some of it is gone."""
        context = self._context
        if context is None:
            context = self._context = zlib.decompressobj(-self._bits)
        taken = bytes(self._held[:AT_ONCE])
        before = context.copy()
        try:
            piece = context.decompress(taken, room)
        except zlib.error as error:
            self._fault = _corrupt("the compressed message is not DEFLATE")
            self._fault.__cause__ = error
            return _before_fault(before, taken, room)
        left = context.unused_data if context.eof else context.unconsumed_tail
        used = len(taken) - len(left)
        del self._held[:used]
        if self._turn is not None:
            self._turn.spend(used // _STEP + context.eof)
        if context.eof:
            # A block said that it is the last one; what follows begins anew, without a window (RFC 1951 §3.2.3),
            # in this message or, a byte of 0 having completed this one, in the next (RFC 7692 §7.2.3.4).
            self._context = None
        return piece

    def _end_input(self) -> None:
        """All that was put in has come out. If that was a message, it must be complete; then begin anew."""
        if self._is_ending and not self._take_tail():
            self._fault = _incomplete()
            return
        self._has_more = False
        if self._is_ending and self._forgets:
            self._context = None
        self._is_ending = self._is_odd = False

    def _take_tail(self) -> bool:
        """Put back what the sender left out; tell whether it completes the message, with nothing of its own."""
        context = self._context or zlib.decompressobj(-self._bits)
        try:
            has_output = bool(context.decompress(_TAIL, 1))
        except zlib.error:
            return False
        if has_output:
            return False
        if context.eof:
            self._context = None
            return not context.unused_data
        self._context = context
        return _is_between_blocks(context)


def _before_fault(context: _Inflating, data: bytes, room: int) -> bytes:
    """Return what comes out before the fault in `data`, at most `room` bytes.

    zlib drops that when it meets the fault. So the byte with the fault is looked for, and at that byte the output
    that it still gives: it is the same then wherever the bytes were cut.
    """

    def fails(n: int) -> bool:
        try:
            context.copy().decompress(data[:n], room)
        except zlib.error:
            return True
        return False

    pieces, left = list[bytes](), b""
    if not fails(0):  # else zlib has the byte with the fault already
        fault = bisect_left(range(1, len(data)), True, key=fails)
        pieces.append(context.decompress(data[:fault], room))
        room, left = room - len(pieces[0]), context.unconsumed_tail + data[fault : fault + 1]
    while room:
        trial = context.copy()
        try:
            pieces.append(trial.decompress(left, room))
        except zlib.error:
            room //= 2
        else:
            context, left = trial, trial.unconsumed_tail
    return b"".join(pieces)


def _is_between_blocks(context: _Inflating) -> bool:
    """Tell whether the next block could begin here, at a whole byte. zlib does not say; but to a copy, which
    costs less than a message, it can be shown one.
    """
    copy = context.copy()
    try:
        return copy.decompress(_LAST_BLOCK) == b"" and copy.eof and not copy.unused_data
    except zlib.error:
        return False


def _incomplete() -> RemoteProtocolError:
    return _corrupt("the compressed message is incomplete")


def _corrupt(message: str) -> RemoteProtocolError:
    """Make the error for payload data that are not what the compressed bit says they are.

    The frames are in order, so it is not 1002; it is data that do not fit their kind, as bad UTF-8 is.
    """
    return RemoteProtocolError(message, close_code=1007, section="RFC 6455 §7.4.1")
