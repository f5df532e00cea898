"""One suite for every backend: each test that asks for `anyio_backend` runs on asyncio, on uvloop and on trio.

What asks for a `world` runs in memory too. There nothing suspends, so it is all the same which loop is around it.
"""

from __future__ import annotations

import pytest

# Before it is imported: its assertions are those of the scenarios.
pytest.register_assert_rewrite("adapters.world")

from adapters.memory_world import MemoryWorld  # noqa: E402
from adapters.socket_world import SocketWorld  # noqa: E402
from adapters.world import World  # noqa: E402

BACKENDS: dict[str, tuple[str, dict[str, bool]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The backend that anyio's plugin runs a test on, with its options."""
    return BACKENDS.get(request.param, BACKENDS["asyncio"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a world in all four, and the rest where there are sockets."""
    if "anyio_backend" in metafunc.fixturenames:
        worlds = [*BACKENDS, "memory"] if "world" in metafunc.fixturenames else [*BACKENDS]
        metafunc.parametrize("anyio_backend", worlds, indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest, anyio_backend: object) -> World:
    """The world that this test runs in."""
    return MemoryWorld() if request.node.callspec.params["anyio_backend"] == "memory" else SocketWorld()


@pytest.fixture
def socket_world(anyio_backend: object) -> World:
    """A world with sockets: for what races, and so is done again and again."""
    return SocketWorld()
