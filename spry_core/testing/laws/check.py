"""All laws at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from spry_core.testing.laws.answering import echo, echoes, pongs_in_order
from spry_core.testing.laws.ending import nothing_after_half_close, one_end
from spry_core.testing.laws.framing import whole_frames
from spry_core.testing.laws.inputs import is_websocket
from spry_core.testing.laws.limiting import limits_before_allocation
from spry_core.testing.laws.splitting import split_invariance
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.timing import time_monotony


def check(
    subject: AnySubject, target: str = "/", *, data: bytes | None = None, seed: int = 0, samples: int = 25
) -> list[str]:
    """See that every law holds that suits `target`; return their names.

    A WebSocket is held to all of them, to `echo` if a first message comes back; anything else to those that are about bytes,
    time, the end and limits.

    Args:
        subject: An `Application`, a function that makes one, or a `Subject` of your own.
        target: Path and query.
        data: What the peer sends, where a law is not about bytes of its own; None for conversations with something of
            everything.
        seed: Decides everything that is drawn; the same seed, the same runs.
        samples: How many places each law tries at most.

    Raises:
        LawBroken: The first that does not hold, and how to run that again.
    """
    laws: list[tuple[str, Callable[[], None]]] = [
        (law.__name__, partial(law, subject, target, data=data, seed=seed, samples=samples))
        for law in (split_invariance, one_end, nothing_after_half_close)
    ]
    laws.append(("time_monotony", partial(time_monotony, subject, target, seed=seed)))
    if is_websocket(subject, target):
        laws.append(
            ("whole_frames", partial(whole_frames, subject, target, data=data, seed=seed, samples=samples))
        )
        laws.append(("pongs_in_order", partial(pongs_in_order, subject, target, seed=seed)))
        if echoes(subject, target):
            laws.append(("echo", partial(echo, subject, target, seed=seed)))
    laws.append(("limits_before_allocation", partial(limits_before_allocation, subject, target, seed=seed)))
    for _, law in laws:
        law()
    return [name for name, _ in laws]
