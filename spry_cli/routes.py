"""`spry routes`: what an application serves."""

from __future__ import annotations

from spry_core import Application


def show_routes(app: Application) -> None:
    """Print one line for each route on standard output, in the order of registration: method, path, handler, place."""
    for entry in app.routes:
        print(entry)
