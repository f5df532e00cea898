"""Applications with one bug each, for machines to find, and what a machine says of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hypothesis import settings

from spry_core import Application, Request, WebSocket
from spry_core.testing.machines import Machine

settings.register_profile("machines", max_examples=100, derandomize=True, database=None, deadline=None)

Handler = Callable[[WebSocket, Request], Awaitable[None]]


def app_of(handler: Handler) -> Application:
    """Return an application that is one WebSocket route at ``/``."""
    app = Application()
    app.ws("/", handler)
    return app


def steps_to_failure(machine: Machine) -> tuple[str, list[str]]:
    """Run a machine that must fail; return what it says, and the names of its steps."""
    loaded = settings.get_current_profile_name()
    settings.load_profile("machines")
    try:
        machine.test_against_model()
    except AssertionError as error:
        notes = [line for note in error.__notes__ for line in note.splitlines()]
        steps = [line.split("(")[0].removeprefix("state.") for line in notes if line.startswith("state.")]
        return str(error), steps[:-1]  # the last one is `teardown`
    finally:
        settings.load_profile(loaded)
    raise AssertionError("the machine has found nothing")
