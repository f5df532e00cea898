"""Laws that every connection keeps, whatever the application: one function each, and `check` for all."""

from __future__ import annotations

from spry_core.testing.laws.answering import echo, pongs_in_order
from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.check import check
from spry_core.testing.laws.ending import nothing_after_half_close, one_end
from spry_core.testing.laws.framing import whole_frames
from spry_core.testing.laws.limiting import limits_before_allocation
from spry_core.testing.laws.splitting import split_invariance
from spry_core.testing.laws.subject import AppSubject, ConnectionSubject, Subject
from spry_core.testing.laws.timing import time_monotony

__all__ = [
    "AppSubject",
    "ConnectionSubject",
    "LawBroken",
    "Subject",
    "check",
    "echo",
    "limits_before_allocation",
    "nothing_after_half_close",
    "one_end",
    "pongs_in_order",
    "split_invariance",
    "time_monotony",
    "whole_frames",
]
