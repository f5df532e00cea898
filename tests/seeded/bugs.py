"""Bugs of the kind that people make, each a small difference to a copy of a real module, and who finds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One bug."""

    name: str
    """In words, as it would be reported."""

    path: str
    """The module, below the root of the copy."""

    change: str
    """Lines of the module that stand there once, with a space, or ``-`` if they go, or ``+`` if they come, in front of each."""

    finders: tuple[str, ...]
    """Who finds it: one of each kind that does, by its name in `seeded.finders`."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its finders."""
        return tuple(finder.partition(":")[0].partition(" ")[0] for finder in self.finders)

    def seed(self, tree: Path) -> None:
        """Put the bug into a copy of the tree. Raises `ValueError` if the module is not what it was any more."""
        path = tree / self.path
        before, after = re.compile(f"^{re.escape(self._side('-'))}", re.MULTILINE), self._side("+")
        text, times = before.subn(lambda _: after, path.read_text(encoding="utf-8"))
        if times != 1:
            raise ValueError(
                f"{self.name}: what is to be changed stands {times} times in {self.path}, not once"
            )
        path.write_text(text, encoding="utf-8")

    def _side(self, sign: str) -> str:
        lines = self.change.lstrip("\n").splitlines(keepends=True)
        return "".join(line[1:] or line for line in lines if line[0] in (" ", "\n", sign))


CORE: Final = (
    Bug(
        name="an empty Close frame is not answered",
        path="spry_core/protocol/websocket.py",
        change="""\
-        if self._state is State.CLOSE_RECEIVED:
+        if self._state is State.CLOSE_RECEIVED and close.code is not None:
""",
        finders=(
            "machine: WebSocketPeer at an echo",
            "scenario: closing: an empty Close is answered with an empty one",
        ),
    ),
    Bug(
        name="control frames overtake each other",
        path="spry_core/protocol/stream.py",
        change="""\
-        self._queue.append(data)
+        self._queue.insert(0 if data[0] in (0x89, 0x8A) else len(self._queue), data)
""",
        finders=(
            "law: pongs_in_order",
            "scenario: control frames: every ping of one read is answered, in order",
        ),
    ),
    Bug(
        name="what is inflated is measured when it is there",
        path="spry_core/protocol/assembly.py",
        change="""\
-        left = None if limit is None else limit - self._size + 1
+        left = None if limit is None else 1 << 30
""",
        finders=("law: limits_before_allocation",),
    ),
    Bug(
        name="a CRLF cut in two ends a chunk badly",
        path="spry_core/protocol/chunked.py",
        change=r"""
-        if not b"\r\n".startswith(held[:2]):
+        if held[:2] != b"\r\n":
""",
        finders=(
            "law: split_invariance of HTTP",
            "scenario: http: a chunked content that comes byte by byte is read",
        ),
    ),
    Bug(
        name="the Ping timer is not armed again when the peer has answered",
        path="spry_core/protocol/keepalive.py",
        change="""\
             self._stream.deadlines.clear(Deadline.PONG)
-            self.beat(now)

""",
        finders=(
            "scenario: keepalive: a peer that answers every ping is kept, and the interval begins again with its answer",
        ),
    ),
    Bug(
        name="every byte of a head gives its peer more time",
        path="spry_core/protocol/http1_server.py",
        change="""\
-        if not deadlines.is_set(Deadline.HEAD):
+        if not deadlines.is_set(Deadline.OPENING):
""",
        finders=(
            "peer: slow_head",
            "scenario: timers: bytes do not put off the deadline of a head",
        ),
    ),
    Bug(
        name="a Close frame waits for the rest of a message that will not come",
        path="spry_core/protocol/websocket.py",
        change="""\
-                self._close(check_close(event.code, event.reason), "local", now)
+                if self._outgoing._kind is None:
+                    self._close(check_close(event.code, event.reason), "local", now)
""",
        finders=("law: whole_frames of a report",),
    ),
    Bug(
        name="how fast a peer reads is not judged",
        path="spry_core/protocol/stream.py",
        change="""\
-        seconds, rate = self.timeouts.write, self.limits.min_write_rate
+        seconds, rate = self.timeouts.write, 0
""",
        finders=("peer: sipper",),
    ),
    Bug(
        name="a message is sent in two steps, with a wait between them",
        path="spry_core/web/sending.py",
        change="""\
-        link.send_message(data if isinstance(data, (str, bytes)) else bytes(data), compress)
+        from spry_core.protocol.events import MessageData, MessageEnd, MessageStart
+
+        message = data if isinstance(data, (str, bytes)) else bytes(data)
+        link.send(MessageStart(kind="text" if isinstance(message, str) else "binary", compress=compress))
+        link.send(MessageData(data=message))
+        await self._room()
+        link.send(MessageEnd())
""",
        finders=("scenario: cancellation: a send that is cancelled leaves no frame torn",),
    ),
    Bug(
        name="nobody waits for the end of a peer that was told ours",
        path="spry_core/protocol/http1_server.py",
        change="""\
-        if self._stream.end is HALF_CLOSE:
+        if self._stream.end is not HALF_CLOSE:
""",
        finders=(
            "law: one_end",
            "recording: two requests",
            "scenario: half-close: a half-closed stream is forgotten some time after the last answer",
        ),
    ),
    Bug(
        name="the end of a stream goes out before its last bytes",
        path="spry_core/protocol/stream.py",
        change="""\
-            data = [*data, self.end]
+            data = [self.end, *data]
""",
        finders=(
            "law: nothing_after_half_close",
            "recording: an echo",
        ),
    ),
    Bug(
        name="the source of a stream stays open when its peer has gone",
        path="spry_core/serving/exchange.py",
        change="""\
-        self.wake()
-        for scope in tuple(self._scopes or ()):
-            scope.cancel()
""",
        finders=("scenario: streaming: a source waits for a peer that does not read",),
    ),
    Bug(
        name="a window that is to be forgotten is kept",
        path="spry_core/protocol/compression.py",
        change="""\
-            self._context = None
+            pass
         return payload[: -len(_TAIL)]
""",
        finders=("law: echo",),
    ),
    Bug(
        name="a Pong that had no room is sent behind our own Close",
        path="spry_core/protocol/control_frames.py",
        change="""\
-        self.late_pong = None
         self._writer.write(_FIN | Opcode.CLOSE, encode_close(close), now)
""",
        finders=("scenario: control frames: a pong that had no room is not sent behind our own Close",),
    ),
    Bug(
        name="a message is taken from the inbox before the last wait",
        path="spry_core/web/receiving.py",
        change="""\
+            message = inbox.take()
             await checkpoints.pass_one()
-            while (message := inbox.take()) is None:
+            while message is None and (message := inbox.take()) is None:
""",
        finders=(
            "scenario: cancellation: a receive that is cancelled while others have their turn loses no message",
        ),
    ),
    Bug(
        name="the Date field shows when the connection began",
        path="spry_core/protocol/date.py",
        change="""\
-        self._wall_clock = wall_clock
+        told = list[float]()
+        self._wall_clock = None if wall_clock is None else lambda: told.append(wall_clock()) or told[0]
""",
        finders=("recording: two requests",),
    ),
)

ADAPTERS: Final = (
    Bug(
        name="asyncio: the timer is not armed again",
        path="spry_system/pump.py",
        change="""\
-        self._timer_at = math.inf
""",
        finders=("scenario on spry_asyncio: keepalive: a peer that answers no ping is given up",),
    ),
    Bug(
        name="asyncio: no timer is ever set",
        path="spry_system/pump.py",
        change="""\
-        if deadline is not None and deadline < self._timer_at:
+        if deadline is not None and deadline > self._timer_at:
""",
        finders=("scenario on spry_asyncio: timers: a handler sleeps as long as it says",),
    ),
    Bug(
        name="asyncio: the end of the peer's bytes ends both directions",
        path="spry_asyncio/pump.py",
        change="""\
             self._tell(self._session.receive_eof)
+            self._tell(self._lose, None)
""",
        finders=("scenario on spry_asyncio: half-close: all pipelined requests are answered before the end",),
    ),
    Bug(
        name="asyncio: an event wakes one waiter",
        path="spry_asyncio/driver.py",
        change="""\
                 waiter.set_result(None)
                 self._driver.due += 1
+                break

""",
        finders=(
            "scenario on spry_asyncio: tasks: an event wakes everybody, and who has given up is not missed",
        ),
    ),
    Bug(
        name="trio: what the kernel has not taken goes behind the rest",
        path="spry_system/sending.py",
        change="""\
-        self._unsent.extend([item for item in batch if isinstance(item, bytes)])
+        self._unsent[:0] = [item for item in batch if isinstance(item, bytes)]
""",
        finders=(
            "scenario on spry_trio: backpressure: senders in three tasks do not mix their frames, and all go on",
        ),
    ),
    Bug(
        name="trio: reading is not resumed",
        path="spry_system/pump.py",
        change="""\
-        if wanted and not self._is_watched and not self._is_at_end and not self._is_lost:
+        if not wanted and not self._is_watched and not self._is_at_end and not self._is_lost:
""",
        finders=(
            "scenario on spry_trio: backpressure: reading goes on when the handler receives, and nothing is missing",
        ),
    ),
)

HANDLERS: Final = (
    Bug(
        name="the press stays busy when its request is cancelled",
        path="seeded/handlers.py",
        change="""\
-        try:
-            await sleep(1)
-        finally:
-            self.is_busy = False
+        await sleep(1)
+        self.is_busy = False
""",
        finders=("explorer: a press",),
    ),
    Bug(
        name="an order is crossed off before it is done",
        path="seeded/handlers.py",
        change="""\
+        order = self.waiting.pop(0)
         await sleep(0.1)
-        self.done.append(self.waiting[0])
-        del self.waiting[0]
+        self.done.append(order)
""",
        finders=("explorer: orders",),
    ),
    Bug(
        name="sizes are not forgotten when they were told",
        path="seeded/handlers.py",
        change="""\
-            sizes.clear()
+            sizes = sizes[3:] or [0]
""",
        finders=("machine: WebSocketPeer at a digest",),
    ),
    Bug(
        name="two guests have one name when somebody has left",
        path="examples/demo/app.py",
        change="""\
-        return next(name for n in count(2) if (name := f"{wanted} {n}") not in taken)
+        return f"{wanted} {len(taken) + 1}"
""",
        finders=("machine: Room",),
    ),
    Bug(
        name="who has left stays on the list",
        path="examples/demo/app.py",
        change="""\
-    try:
-        async for message in ws:
-            if isinstance(message, bytes):
-                raise WebSocketClose(1003, "this room speaks text")
-            room.tell_others(ws, {"event": "said", "name": name, "text": message})
-    finally:
+    async for message in ws:
+        if isinstance(message, bytes):
+            raise WebSocketClose(1003, "this room speaks text")
+        room.tell_others(ws, {"event": "said", "name": name, "text": message})
+    if True:
""",
        finders=("machine: Room",),
    ),
    Bug(
        name="an upload has no limit",
        path="seeded/handlers.py",
        change="""\
-        if size > MAX_UPLOAD:
-            raise Abort(413)
""",
        finders=("peer: body_flood",),
    ),
    Bug(
        name="an empty message is not echoed",
        path="seeded/handlers.py",
        change="""\
-        await ws.send(message)
+        if message:
+            await ws.send(message)
""",
        finders=(
            "law: echo",
            "machine: WebSocketPeer at an echo",
        ),
    ),
)

BUGS: Final = (*CORE, *ADAPTERS, *HANDLERS)
"""All of them."""
