"""One suite for every backend: each test that asks for `anyio_backend` runs on asyncio, on uvloop and on trio."""

from __future__ import annotations

import pytest

BACKENDS: dict[str, tuple[str, dict[str, bool]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The backend that anyio's plugin runs a test on, with its options."""
    return BACKENDS[request.param]
