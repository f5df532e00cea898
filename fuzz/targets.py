"""What can be fuzzed: each parser by name, with the check that it is held to and the inputs to begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fuzz import checks, engines, primitives, seeds, serving, talk, text


class Target(NamedTuple):
    """One thing to fuzz."""

    check: Callable[[bytes], None]
    """Raises `AssertionError`, or what should not have been raised."""

    seeds: Callable[[], list[bytes]]
    """Makes the inputs to begin with."""


TARGETS: Final[Mapping[str, Target]] = {
    "requests": Target(checks.check_requests, seeds.requests),
    "chunks": Target(checks.check_chunks, seeds.chunks),
    "responses": Target(checks.check_responses, seeds.responses),
    "handshakes": Target(checks.check_handshakes, seeds.handshake_fields),
    "switches": Target(checks.check_switches, seeds.switches),
    "extensions": Target(text.check_extensions, seeds.extensions),
    "client-frames": Target(checks.check_frames_of_clients, seeds.frames_of_clients),
    "server-frames": Target(checks.check_frames_of_servers, seeds.frames_of_servers),
    "deflate": Target(checks.check_deflate, seeds.payloads),
    "server": Target(serving.check_server, seeds.connections),
    "engines": Target(engines.check_engines, engines.seeds),
    "primitives": Target(primitives.check_primitives, primitives.seeds),
    "talk": Target(talk.check_talk, seeds.programs),
    "web": Target(text.check_web, seeds.web),
    "routes": Target(text.check_routes, seeds.routes),
}
"""Everything that takes bytes from a peer, and the face of the core towards its owner (`talk`)."""
