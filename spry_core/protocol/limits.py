"""Every limit and every duration, by name. All of them are settings, and none of them is anywhere else.

Sizes are bytes, durations seconds. A value equal to a limit passes. A line is counted without its CRLF, a
section with all of its CRLFs but without the empty line that ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a peer may send, and how much we hold for it."""

    max_request_line: int = 8 * 1024
    """Request line; beyond it 414 and close (RFC 9112 §3)."""

    max_field_line: int = 8 * 1024
    """One field line; beyond it 431 and close (RFC 6585 §5)."""

    max_header_section: int = 32 * 1024
    """All field lines of a head; beyond it 431 and close."""

    max_fields: int = 100
    """Number of fields in a head; beyond it 431 and close. Also of the subprotocols, and of the extensions, that an opening
    handshake offers; beyond it 431.
    """

    max_trailer_section: int = 8 * 1024
    """All field lines of a trailer section; beyond it 400 and close (RFC 9112 §7.1.2)."""

    max_trailer_fields: int = 32
    """Number of trailer fields; beyond it 400 and close."""

    max_chunk_line: int = 256
    """One chunk-size line with its extensions; beyond it 400 and close (RFC 9112 §7.1.1)."""

    max_chunk_extensions: int = 4 * 1024
    """Chunk extensions of one body, together; beyond it 400 and close."""

    max_empty_lines: int = 4
    """Empty lines before a request line; beyond it 400 and close (RFC 9112 §2.2)."""

    max_body: int = 1024 * 1024
    """What `Request.read` and its kin collect; beyond it 413 and close (RFC 9110 §15.5.14)."""

    min_body_rate: int = 500
    """Bytes a second that a request's content must average after `Timeouts.body` seconds; below it 408 and
    close.
    """

    min_write_rate: int = 500
    """Bytes a second that a peer must take of what is unsent, on average over each `Timeouts.write` seconds; below it the
    stream is aborted. What goes out whole is not judged. 0 for any rate.
    """

    max_requests: int | None = None
    """Requests on one connection, None for any number; the last answer says ``Connection: close``."""

    max_read_ahead: int = 64 * 1024
    """Bytes held behind the current request, or of its content and not yet consumed, before reading pauses.
    """

    max_linger: int = 64 * 1024
    """Bytes read and thrown away after the last answer, or of a content that nobody wanted, before the
    connection is cut.
    """

    max_connections: int = 10_000
    """Connections of one server; at that number it stops accepting (adapters take 80 % of RLIMIT_NOFILE if
    that is less).
    """

    backlog: int = 2048
    """Connections that the kernel holds ready for `accept`."""

    max_message_size: int | None = 1024 * 1024
    """One WebSocket message, inflated, None for any size; beyond it Close 1009, known from the frame's header
    unless it is compressed. With None messages come in pieces only.
    """

    max_fragments: int | None = 1024
    """Frames of one WebSocket message, None for any number; beyond it Close 1008."""

    max_queue: int = 16
    """Complete messages delivered and not yet released before reading pauses."""

    max_queue_size: int = 64 * 1024
    """Bytes of messages, and of pieces, delivered and not yet released before reading pauses."""

    high_water: int = 64 * 1024
    """Unsent bytes above which senders wait, and so does the next request on the connection."""

    max_unsent: int = 1024 * 1024
    """Unsent bytes at which `send_nowait` raises `BufferFull`."""

    def __post_init__(self) -> None:
        """Refuse a negative limit, None where there has to be one, and zero where nothing could ever be read or accepted."""
        _refuse_impossible(self)
        for name in ("max_read_ahead", "max_queue", "max_queue_size"):
            if not getattr(self, name):
                raise ValueError(f"Limits.{name} is 0: nothing would ever be read")
        if not self.max_connections:
            raise ValueError("Limits.max_connections is 0: nothing would ever be accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long we wait, in seconds; None waits for ever."""

    head: float | None = 10.0
    """From the accept or the first byte to the end of a request's head; then 408 and close (close alone
    without a byte).
    """

    body: float | None = 20.0
    """Between two bytes of a request's content; then 408 and close. Stands still while we paused reading."""

    keep_alive: float | None = 15.0
    """Between an answer and the next request's first byte; then close (RFC 9112 §9.5)."""

    write: float | None = 30.0
    """Without any progress in writing, or below `Limits.min_write_rate` for so long; then the stream is aborted."""

    linger: float | None = 2.0
    """From our half-close to the peer's end of stream; then close (RFC 9112 §9.6)."""

    opening: float | None = 10.0
    """The WebSocket opening handshake: server, head to answer, then 503 and close; client, start to answer,
    then close.
    """

    ping_interval: float | None = 20.0
    """From the opening, or the answer to the last Ping, to the next keepalive Ping (RFC 6455 §5.5.2)."""

    ping_timeout: float | None = 20.0
    """From a keepalive Ping to any byte of the peer; then Close 1011. Stands still while we paused reading.
    """

    close_timeout: float | None = 5.0
    """From our Close frame to the end of the stream, not extended by traffic; then the stream is aborted."""

    tls_handshake: float | None = 10.0
    """The TLS handshake; then close."""

    grace: float | None = 10.0
    """From the start of a shutdown to the cancellation of what still runs."""

    accept_pause: float | None = 0.5
    """Pause of the listener after an accept failed for want of descriptors; the shortest possible for None.
    """

    def __post_init__(self) -> None:
        """Refuse a negative duration, and an interval between Pings that would be none."""
        _refuse_impossible(self)
        if self.ping_interval == 0:
            raise ValueError("Timeouts.ping_interval is 0: Pings would never end, and None means none")


def _refuse_impossible(settings: Limits | Timeouts) -> None:
    for field in fields(settings):
        name, value = f"{type(settings).__name__}.{field.name}", getattr(settings, field.name)
        if value is None:
            if not str(field.type).endswith("None"):
                raise TypeError(f"{name} is None: it cannot be turned off, but it may be any number")
        elif value < 0:
            raise ValueError(f"{name} is negative: {value}")
