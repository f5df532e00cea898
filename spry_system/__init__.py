"""What the adapters have in common, whatever their event loop: what they take from the operating system (sockets, TLS,
randomness, the log, files), and the order in which they go to their connections.
"""

from __future__ import annotations

from spry_system.agenda import Agenda, Part
from spry_system.ending import end_sending, end_stream, reset_on_close
from spry_system.listeners import (
    INTERNET,
    Address,
    Found,
    Listener,
    address_text,
    internet_addresses,
    local_text,
    open_listeners,
    unix_paths,
)
from spry_system.looks import Looks
from spry_system.poller import HAS_EPOLL, Poller
from spry_system.pump import BasePump, TimerHandle
from spry_system.recordings import MAX_FILES, record_in
from spry_system.sending import send_some
from spry_system.server import log, make_server
from spry_system.tls import make_tls
from spry_system.turns import Turns

__all__ = [
    "HAS_EPOLL",
    "INTERNET",
    "MAX_FILES",
    "Address",
    "Agenda",
    "BasePump",
    "Found",
    "Listener",
    "Looks",
    "Part",
    "Poller",
    "TimerHandle",
    "Turns",
    "address_text",
    "end_sending",
    "end_stream",
    "internet_addresses",
    "local_text",
    "log",
    "make_server",
    "make_tls",
    "open_listeners",
    "record_in",
    "reset_on_close",
    "send_some",
    "unix_paths",
]
