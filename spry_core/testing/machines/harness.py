"""What all machines share: an application, the settings of a run, and what is done when it fails.

A machine is a class of yours below one of `spry_core.testing.machines`. It says which application it is about and what that
should answer; Hypothesis then invents a peer, step by step, and compares. `test_against_model` is the test: pytest collects it
from a class whose name begins with ``Test``, and elsewhere it can be called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from hypothesis import HealthCheck, Phase
from hypothesis import settings as Settings  # noqa: N812 - it is a class
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from spry_core.protocol import Limits, Timeouts
from spry_core.serving import LogRecord
from spry_core.testing.client import TestClient
from spry_core.testing.parked import Deadlock
from spry_core.testing.transcript import FOLDER, MemoryRecorder
from spry_core.web.application import Application

FAULT: Final = 40
"""The level of a log record that tells of an error."""


class Machine:
    """What you say about your application. Everything is an attribute or a method of the class, to be replaced."""

    app: Application
    """The application."""

    target: str = "/"
    """Path and query to talk to, as on the wire."""

    limits: Limits = Limits()
    """The server's limits, in bytes."""

    timeouts: Timeouts = Timeouts()
    """The server's timeouts, in virtual seconds."""

    patience: float = 0.0
    """Virtual seconds within which an answer must have come. 0: before anything else happens."""

    max_examples: int | None = None
    """Runs of the machine; None for what the profile of Hypothesis says."""

    step_count: int = 20
    """Steps of one run at most."""

    recordings: str | Path | None = FOLDER
    """Where the recordings of a failing run are kept; None to keep none."""

    # Any: the rules are generic in the model, which no attribute can say.
    steps: ClassVar[type[Any]]
    """The rules, a subclass of `Steps` (of which kind, depends on the machine). Yours may be a subclass with rules of its own."""

    recorder: MemoryRecorder | None = None

    def make_app(self) -> Application:
        """Return the application of one run; one made anew if handlers share what outlives them."""
        return self.app

    def may_log(self, record: LogRecord) -> bool:
        """Tell whether an error in the log is expected; all others fail the machine."""
        return False

    def open_client(self, seed: int) -> TestClient:
        """Make the server of one run, and record what its connections do."""
        self.recorder = None if self.recordings is None else MemoryRecorder()
        return TestClient(
            self.make_app(), seed=seed, limits=self.limits, timeouts=self.timeouts, record=self.recorder
        )

    def test_against_model(self) -> None:
        """Run the machine; a failure shows the shortest steps that lead to it, and where the recordings are."""
        name = type(self).__name__
        base: Any = self.steps

        def begin(steps: object) -> None:
            base.__init__(steps, self)

        # A class made for this model: Hypothesis shows its name, and makes it without arguments.
        run: Any = type(name, (base,), {"__init__": begin})
        try:
            run_state_machine_as_test(run, settings=self.settings())
        except Exception as error:
            if self.recorder is not None and self.recordings is not None:
                self.recorder.keep_for(error, name, self.recordings)
            raise

    def settings(self) -> Settings:
        """Return the settings of Hypothesis for a run."""
        chosen = Settings(
            stateful_step_count=self.step_count,
            deadline=None,
            report_multiple_bugs=False,  # the others are what comes of the first, mostly
            suppress_health_check=(
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
            ),
            # Without the phase that explains: it runs a failing machine over and over again.
            phases=[each for each in Settings().phases if each is not Phase.explain],
        )
        return chosen if self.max_examples is None else Settings(chosen, max_examples=self.max_examples)


M = TypeVar("M", bound=Machine)


class Steps(RuleBasedStateMachine, Generic[M]):
    """The rules of one run, and the server that they meet. It ends with a check that nothing is left."""

    def __init__(self, model: M) -> None:
        super().__init__()
        self.model: Final = model
        """What the user said."""
        self.client: Final = model.open_client(seed=0)
        """The server, in memory and in virtual time."""

    def check_log(self) -> None:
        """Fail if the server had an error to log that was not expected."""
        for record in self.client.reports:
            if record.level >= FAULT and not self.model.may_log(record):
                raise AssertionError(f"the server logged: {record.text}") from record.exception

    def finish(self) -> None:
        """Check what must hold at the end of every run, while its connections may still be open."""

    def wait_for(self, is_over: Callable[[], bool]) -> None:
        """Let as much of the patience pass as is needed."""
        if not is_over() and self.model.patience:
            try:
                self.client.driver.wait_until(is_over, "the answer", timeout=self.model.patience)
            except TimeoutError:
                pass  # whoever asked looks again, and tells what is missing

    def teardown(self) -> None:
        """End the run: every connection is cut, and every handler must come to its end."""
        has_failed = sys.exc_info()[0] is not None  # a step has, and says more than what comes of it
        try:
            if not has_failed:
                self.finish()
                self.check_log()
        finally:
            self._close(is_quiet=has_failed)

    def _close(self, *, is_quiet: bool) -> None:
        try:
            self.client.close()
        except Deadlock as error:
            if is_quiet:
                return
            raise AssertionError(
                f"a handler outlives its connection, although it was cancelled: {error}"
            ) from None
