"""Every request of the corpus, under the name of its class and its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ambiguous import chunks, framing, heads
from ambiguous.case import Case

CLASSES: Final[Mapping[str, Mapping[str, Case]]] = {
    "Content-Length": framing.LENGTHS,
    "Transfer-Encoding": framing.CODINGS,
    "chunk sizes": chunks.SIZES,
    "chunk extensions": chunks.EXTENSIONS,
    "terminators of chunks": chunks.TERMINATORS,
    "trailers": chunks.TRAILERS,
    "field lines": heads.FIELDS,
    "request lines": heads.LINES,
    "versions": heads.VERSIONS,
    "targets": heads.TARGETS,
    "Host": heads.HOSTS,
    "empty lines": heads.EMPTY,
    "pipelines": heads.PIPELINES,
}
REQUESTS: Final[Mapping[str, Case]] = {
    f"{kind}: {name}": case for kind, cases in CLASSES.items() for name, case in cases.items()
}
