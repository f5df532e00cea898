"""The house stands as it is drawn: who may import whom, what mirrors what, what is public.

The import contracts in pyproject.toml say the first of these too. This walk over the source is independent of
them: it sees every file, so a new one cannot stay outside of the drawing, and imports in functions as well.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("spry_core", "spry_system", "spry_asyncio", "spry_trio", "spry_cli")

Ranks = tuple[tuple[str, ...], ...]

HOUSE: Mapping[str, Ranks] = {
    "": (("spry_cli",), ("spry_asyncio", "spry_trio"), ("spry_system",), ("spry_core",)),
    "spry_core": (
        ("testing",),
        ("serving",),
        ("web",),
        ("recording", "routing"),
        ("protocol",),
        ("tasks",),
        ("wakeup",),
        ("driver", "headers"),
        ("closing",),
        ("errors",),
        ("version", "speedups"),
    ),
    "spry_core.tasks": (
        ("scopes", "waiting"),
        ("host", "raised"),
        ("timers",),
    ),
    "spry_core.testing": (
        ("conformance", "explorer", "laws", "machines"),
        ("client",),
        ("client_methods", "client_stream"),
        ("client_websocket", "peers", "response"),
        ("conversation", "wire"),
        ("peer", "pump", "weather"),
        ("memory",),
        ("lent",),
        ("strategies", "task", "transcript"),
        ("address", "content", "frames", "parked", "pipe", "requests"),
    ),
    "spry_core.testing.conformance": (
        ("__main__",),
        ("command",),
        ("report",),
        ("playing",),
        ("step_player", "catalogue"),
        ("groups",),
        ("scripts",),
        ("scenario", "stage", "octets"),
        ("notebook", "steps", "together"),
        ("tolerance",),
    ),
    "spry_core.testing.conformance.groups": (
        (
            "cancellation",
            "closing",
            "contexts",
            "control",
            "disconnect",
            "http",
            "leaving",
            "lives",
            "messages",
            "opening",
            "pressure",
            "streaming",
            "tasks",
            "timers",
        ),
    ),
    "spry_core.testing.transcript": (
        ("__main__",),
        ("command",),
        ("page", "text"),
        ("sequence",),
        ("keeping", "replay", "decoding"),
        ("calls",),
        ("reader",),
    ),
    "spry_core.testing.laws": (
        ("check",),
        ("answering", "ending", "framing", "limiting", "splitting", "timing"),
        ("inputs",),
        ("trial",),
        ("subject",),
        ("broken", "heard"),
    ),
    "spry_core.testing.peers": (
        ("__main__",),
        ("command",),
        ("catalogue", "healthy"),
        ("floods", "leaving", "lying", "servers", "slow"),
        ("talk",),
        ("report",),
    ),
    "spry_core.testing.machines": (
        ("http_client", "room", "slow_reader", "websocket_peer"),
        ("answers", "harness", "line"),
    ),
    "spry_core.testing.strategies": (
        ("broken_compressed",),
        ("broken_requests", "broken_responses", "broken_websockets"),
        ("conversations", "websockets"),
        ("frames", "requests", "responses"),
        ("compressed", "content", "deflate", "routes"),
        ("closing", "cuts", "fields", "shown", "targets", "verdict"),
    ),
    "spry_core.serving": (
        ("server",),
        ("lifespan", "session", "tls"),
        ("outcome",),
        ("answer", "journal"),
        ("ciphertext", "exchange", "face", "record", "tasks"),
    ),
    "spry_core.web": (
        ("application",),
        ("dispatch", "registration"),
        ("upgrade",),
        ("middleware",),
        ("broadcast", "filters"),
        ("websocket",),
        ("opening",),
        ("options",),
        ("request", "receiving", "streaming"),
        ("sending",),
        ("incoming", "linked", "scope", "subscription"),
        ("body", "failure"),
        ("exceptions",),
        ("exchange", "response"),
        ("calling", "cookies", "iteration", "json_text", "link", "origin", "target", "urlencoded"),
        ("inbox", "pinging"),
        ("arrival",),
    ),
    "spry_core.recording": (
        ("recorder",),
        ("connection",),
        ("parts", "values"),
        ("redaction",),
    ),
    "spry_core.routing": (
        ("builder",),
        ("tree",),
        ("pattern",),
    ),
    "spry_core.protocol": (
        ("connection",),
        ("facts",),
        ("http1_client", "http1_server", "websocket"),
        ("http1",),
        ("writer",),
        ("incoming", "outgoing", "handshake", "assembly", "control_frames", "data_frames", "memory"),
        ("chunked", "closing_handshake", "compression", "exchange", "keepalive", "repeated"),
        ("head", "engines", "stream"),
        ("account", "events", "date", "lines", "prepared"),
        ("deadlines", "deflate", "limits", "turn"),
    ),
    "spry_core.protocol.engines": (
        ("choice",),
        ("native_frames", "native_http", "reference"),
        ("pure",),
        ("interface",),
    ),
    "spry_system": (
        ("agenda", "pump", "recordings"),
        ("sending",),
        ("ending", "listeners", "looks", "poller", "server", "threads", "tls", "turns"),
    ),
    "spry_asyncio": (
        ("testing",),
        ("runner",),
        ("server",),
        ("pump",),
        ("driver",),
        ("tasks",),
    ),
    "spry_trio": (
        ("testing",),
        ("runner",),
        ("server",),
        ("pump",),
        ("driver",),
        ("tasks",),
    ),
    "spry_cli": (
        ("__main__",),
        ("main",),
        ("arguments", "loader", "routes", "run"),
        ("settings",),
        ("tls",),
        ("sources",),
        ("inherited", "log"),
        ("options",),
        ("errors", "readers"),
    ),
}
"""What stands in each package, from above; names in one rank do not know each other.

A module may import from every rank below its own. A package's `__init__` stands above all its ranks.
"""

UNMIRRORED: Mapping[str, str] = {
    "spry_core.driver": "an interface without code",
    "spry_core.protocol.engines.interface": "an interface without code",
    "spry_core.serving.face": "an interface without code",
    "spry_core.web.exchange": "an interface without code",
    "spry_core.testing.conformance.__main__": "one call; the tests of the command run it",
    "spry_core.testing.peers.__main__": "one call; the tests of the command run it",
    "spry_core.testing.transcript.__main__": "one call; the tests of the command run it",
    "spry_cli.__main__": "one call; the tests of spry_cli.main run it as a process",
}
"""Modules without a test file of their own, and why."""


def module_name(path: Path) -> str:
    """Return the dotted name of a source file; a package is its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES: Mapping[str, Path] = {
    module_name(path): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py*"))
    if path.suffix in {".py", ".pyi"}
}
"""Each module; one in C is its stub."""

TREES: Mapping[str, ast.Module] = {
    name: ast.parse(path.read_bytes(), filename=str(path)) for name, path in SOURCES.items()
}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield every module of ours that `tree` imports, at whatever depth; relative imports are banned by ruff."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in SOURCES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in SOURCES:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in SOURCES else node.module


def rank(container: str, name: str) -> int:
    """Return how far down `name` stands in `container`; the container's own `__init__` (no name) is above all."""
    if not name:
        return -1
    for position, names in enumerate(HOUSE.get(container, ())):
        if name in names:
            return position
    raise LookupError(f"HOUSE does not say where {container}.{name} stands")


def may_import(importer: str, imported: str) -> bool:
    """Tell whether the arrow points downwards in the innermost package that holds both."""
    above, below = importer.split("."), imported.split(".")
    shared = 0
    while shared < min(len(above), len(below)) and above[shared] == below[shared]:
        shared += 1
    container = ".".join(above[:shared])
    upper, lower = (names[shared] if len(names) > shared else "" for names in (above, below))
    return rank(container, upper) < rank(container, lower)


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_has_its_place(name: str) -> None:
    parts = name.split(".")
    for depth, part in enumerate(parts):
        assert rank(".".join(parts[:depth]), part) >= 0


@pytest.mark.parametrize("name", SOURCES)
def test_imports_point_downwards(name: str) -> None:
    assert [imported for imported in imports(TREES[name]) if not may_import(name, imported)] == []


def test_the_import_contracts_draw_the_same_house() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = {
        # The linter cannot see a module in C, and must be told that it may not be there.
        container: tuple(
            tuple(name.strip("()") for name in layer.split(" | ")) for layer in contract["layers"]
        )
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
        for container in contract.get("containers", [""])
    }
    assert layers == HOUSE


def test_no_imports_run_in_a_circle() -> None:
    arrows = {name: set(imports(tree)) for name, tree in TREES.items()}
    order = list(TopologicalSorter(arrows).static_order())  # raises CycleError, which names the circle
    assert sorted(order) == sorted(SOURCES)


def test_the_arrows_of_the_drawing_are_the_only_ones() -> None:
    assert may_import("spry_core.web.request", "spry_core.protocol.events")
    assert may_import("spry_core", "spry_core.web")
    assert not may_import("spry_core.protocol.events", "spry_core.web.request")
    assert not may_import("spry_core.web.request", "spry_core")
    assert not may_import("spry_core.driver", "spry_core.headers")
    assert not may_import("spry_asyncio.pump", "spry_trio.pump")
    with pytest.raises(LookupError, match=r"does not say where spry_core\.attic stands"):
        may_import("spry_core.attic", "spry_core.errors")


KIT = ("spry_core.testing", "spry_asyncio.testing", "spry_trio.testing")


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith(KIT)])
def test_only_the_testing_kit_imports_the_testing_kit(name: str) -> None:
    assert [imported for imported in imports(TREES[name]) if imported.startswith(KIT)] == []


def is_mirrored(name: str) -> bool:
    """Tell whether a test file of its own is asked for: the adapters share the suite in tests/adapters."""
    is_package = SOURCES[name].name == "__init__.py"
    return not is_package and name not in UNMIRRORED and not name.startswith(("spry_asyncio.", "spry_trio."))


@pytest.mark.parametrize("name", [name for name in SOURCES if is_mirrored(name)])
def test_every_module_has_its_test_file(name: str) -> None:
    *folders, module = name.split(".")
    assert (ROOT / "tests" / Path(*folders) / f"test_{module}.py").is_file()


def test_the_adapters_are_twins() -> None:
    def rooms(package: str) -> list[str]:
        return sorted(name.removeprefix(package) for name in SOURCES if name.startswith(package))

    assert rooms("spry_asyncio") == rooms("spry_trio")
    assert exports("spry_asyncio") == exports("spry_trio")


@pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)
def test_names_of_modules_say_what_is_in_them(path: Path) -> None:
    """`__all__` says what is private, and a helper lives with the idea it helps."""
    assert path.stem in {"__init__", "__main__"} or not path.stem.startswith("_")
    assert path.stem not in {"common", "helpers", "misc", "util", "utils"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    """PEP 561: without the marker a type checker ignores the annotations of an installed package."""
    assert (ROOT / package / "py.typed").read_bytes() == b""


INITS = [name for name, path in SOURCES.items() if path.name == "__init__.py"]


@pytest.mark.parametrize("name", INITS)
def test_an_init_only_re_exports(name: str) -> None:
    docstring, *statements = TREES[name].body
    assert isinstance(docstring, ast.Expr)
    for statement in statements:
        is_known = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in {
            "__all__",
            "__version__",
        }
        assert isinstance(statement, ast.ImportFrom) or is_known, ast.unparse(statement)


def docstring_of(name: str, module: str) -> str | None:
    """Return the docstring of what `module` calls `name`, followed to where it is defined."""
    body = TREES[module].body
    for position, node in enumerate(body):
        match node:
            case ast.ImportFrom(module=str(source), names=names) if source in SOURCES:
                for alias in names:
                    if name == (alias.asname or alias.name):
                        return docstring_of(alias.name, source)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                return ast.get_docstring(node)
            case ast.Assign(targets=[ast.Name(id=defined)]) | ast.AnnAssign(target=ast.Name(id=defined)):
                if defined == name:
                    match body[position + 1 : position + 2]:
                        case [ast.Expr(value=ast.Constant(value=str(text)))]:
                            return text
                        case _:
                            return None
            case _:
                pass
    return None


def exports(package: str) -> list[str]:
    """Return `__all__` as it is written, so that a package which cannot be imported fails a test and not the whole file."""
    for statement in TREES[package].body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(statement.value)]
    return []


EXPORTS = [(package, name) for package in INITS for name in exports(package)]


@pytest.mark.parametrize(("package", "name"), EXPORTS)
def test_every_exported_name_exists_and_is_described(package: str, name: str) -> None:
    assert hasattr(import_module(package), name)
    assert docstring_of(name, package)
