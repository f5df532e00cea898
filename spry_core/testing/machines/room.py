"""A machine that is several peers at once: who hears what, when they come, speak and go in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final, Literal, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from spry_core.testing.frames import CLOSE_FRAME, TEXT, Frame, close_payload
from spry_core.testing.machines.harness import Machine, Steps
from spry_core.testing.machines.line import Line

Heard: TypeAlias = Mapping[int, Sequence[str | bytes]]
"""What each peer hears, by its number; who is not in it hears nothing."""

Way: TypeAlias = Literal["close", "half-close", "reset"]
"""How a peer leaves."""


class Room(Machine):
    """Several peers of one route that share something: a chat, a game, a board.

    Peers have numbers, in the order in which they came. Say who hears what, and the machine finds a message that reaches the
    wrong peer, or one that has gone, that is lost or comes twice, and a peer that keeps the others from hearing anything
    because it does not read.
    """

    max_peers: int = 4
    """Peers in the room at most."""

    def texts(self) -> st.SearchStrategy[str]:
        """Give what peers say."""
        return st.text(max_size=10)

    def on_join(self, who: int, others: Sequence[int]) -> Heard:
        """Return what is heard when `who` joins; `others` were there before."""
        return {}

    def on_message(self, who: int, text: str, others: Sequence[int]) -> Heard:
        """Return what is heard when `who` says `text`."""
        raise NotImplementedError(f"{type(self).__name__}.on_message says who hears a message")

    def on_leave(self, who: int, others: Sequence[int]) -> Heard:
        """Return what is heard when `who` has left, however it did."""
        return {}


class RoomSteps(Steps[Room]):
    """The steps of those peers. What each has heard is compared after each of them."""

    def __init__(self, model: Room) -> None:
        super().__init__(model)
        self.lines: Final[dict[int, Line]] = {}
        """The peers that are there, by number."""
        self.expected: Final[dict[int, list[str | bytes]]] = {}
        self._numbers = count()

    def _others(self, who: int) -> list[int]:
        return [each for each in self.lines if each != who]

    def _expect(self, heard: Heard) -> None:
        for who, said in heard.items():
            if who in self.lines:
                self.expected[who].extend(said)

    @precondition(lambda self: len(self.lines) < self.model.max_peers)
    @rule()
    def join(self) -> None:
        """Let one more peer join."""
        who = next(self._numbers)
        self.lines[who] = Line(self.client, self.model.target)
        self.expected[who] = []
        self._expect(self.model.on_join(who, self._others(who)))
        self.check()

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def say(self, data: st.DataObject) -> None:
        """Let one of them say something."""
        who = data.draw(st.sampled_from(list(self.lines)), label="who")
        text = data.draw(self.model.texts(), label="text")
        self.lines[who].send(Frame(TEXT, text.encode()))
        self._expect(self.model.on_message(who, text, self._others(who)))
        self.check()

    @precondition(lambda self: self.lines)
    @rule(data=st.data(), way=st.sampled_from(("close", "half-close", "reset")))
    def leave(self, data: st.DataObject, way: Way) -> None:
        """Let one of them leave."""
        who = data.draw(st.sampled_from(list(self.lines)), label="who")
        line = self.lines[who]
        if line.peer.is_reading:
            self._compare(who)
        if way == "close":
            line.send(Frame(CLOSE_FRAME, close_payload(1000)))
        elif way == "half-close":
            line.half_close()
        else:
            line.reset()
        del self.lines[who], self.expected[who]
        self._expect(self.model.on_leave(who, list(self.lines)))
        self.check()

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def stop_or_read_again(self, data: st.DataObject) -> None:
        """Let one of them stop reading, or go on; the others hear what they should all the while."""
        peer = self.lines[data.draw(st.sampled_from(list(self.lines)), label="who")].peer
        peer.is_reading = not peer.is_reading
        self.check()

    def check(self) -> None:
        """Compare what each has heard, of those that read."""
        for who, line in self.lines.items():
            if line.peer.is_reading:
                self._compare(who)
        self.check_log()

    def _compare(self, who: int) -> None:
        line, wanted = self.lines[who], self.expected[who]
        self.wait_for(lambda: len(line.read()) >= len(wanted))
        got = line.read()
        assert got == wanted, f"peer {who} has heard {got!r}, and should have heard {wanted!r}"
        assert line.close is None, f"the server closes the WebSocket of peer {who}: {line.close}"
        assert not line.is_over, f"the server has ended the stream of peer {who}"

    def finish(self) -> None:
        """Let all read on, and see that nobody misses anything."""
        for line in self.lines.values():
            line.peer.is_reading = True
        self.check()


Room.steps = RoomSteps
