"""Conformance: scenarios as data that any backend can run; ``python -m spry_core.testing.conformance MODULE:NAME``.

The author of a backend writes one callable (`Backend`) and reads the report. Another thing altogether is the folder
``conformance`` at the top of the repository, where Autobahn's cases are run.
"""

from __future__ import annotations

from spry_core.testing.conformance.catalogue import SCENARIOS
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.playing import Failure, Result, play, play_all
from spry_core.testing.conformance.report import explanation, table, verdict
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.stage import Backend, Running, Stage, memory
from spry_core.testing.conformance.steps import Step
from spry_core.testing.conformance.tolerance import REAL, VIRTUAL, Tolerance

__all__ = [
    "REAL",
    "SCENARIOS",
    "VIRTUAL",
    "Backend",
    "Failure",
    "Notebook",
    "Result",
    "Running",
    "Scenario",
    "Stage",
    "Step",
    "Tolerance",
    "explanation",
    "http",
    "memory",
    "play",
    "play_all",
    "table",
    "verdict",
    "ws",
]
