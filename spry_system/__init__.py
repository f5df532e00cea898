"""What every adapter takes from the operating system, whatever its event loop: sockets to listen on, TLS, randomness, the log."""

from __future__ import annotations

from spry_system.listeners import (
    INTERNET,
    Address,
    Found,
    Listener,
    address_text,
    internet_addresses,
    open_listeners,
    unix_paths,
)
from spry_system.server import log, make_server
from spry_system.tls import make_tls

__all__ = [
    "INTERNET",
    "Address",
    "Found",
    "Listener",
    "address_text",
    "internet_addresses",
    "log",
    "make_server",
    "make_tls",
    "open_listeners",
    "unix_paths",
]
