"""Tests of `spry_core.protocol.engines.choice`: an engine by its name."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import cast

import pytest

import spry_core
from spry_core.protocol.engines import choice, pure
from spry_core.protocol.engines.choice import check_engine, frame_engine, http_engine
from spry_core.protocol.engines.interface import EngineName, Opcode, Role
from spry_core.protocol.engines.native_frames import NativeFrameEngine
from spry_core.protocol.engines.reference import H11Engine, WsprotoEngine
from traces import counted

NAMES: tuple[EngineName, ...] = ("native", "pure", "reference")


def admit(opcode: Opcode, length: int, rsv1: bool) -> None:
    pass


@pytest.mark.parametrize("name", NAMES)
def test_there_are_three(name: EngineName) -> None:
    check_engine(name)


@pytest.mark.engines_by_name
def test_the_reference_is_h11_and_wsproto() -> None:
    assert isinstance(http_engine("reference", "server", 100), H11Engine)
    assert isinstance(frame_engine("reference", "server", admit, counted), WsprotoEngine)


@pytest.mark.engines_by_name
@pytest.mark.parametrize("name", ["native", "pure"])
def test_the_others_are_our_own(name: EngineName) -> None:
    assert isinstance(frame_engine(name, "server", admit, counted), NativeFrameEngine)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("role", "expected"), [("server", b"\x82\x01a"), ("client", b"\x82\x81\x01\x02\x03\x04`")]
)
def test_the_frames_of_each_are_those_of_its_role(name: EngineName, role: Role, expected: bytes) -> None:
    """RFC 6455 §5.1: a client masks, with a key from the source that was passed in."""
    assert frame_engine(name, role, admit, counted).frame(0x82, b"a") == expected


@pytest.mark.parametrize("name", ["", "Reference", "h11"])
def test_another_name_is_refused_and_the_names_are_told(name: str) -> None:
    bad = cast("EngineName", name)
    for call in (
        lambda: check_engine(name),
        lambda: http_engine(bad, "server", 100),
        lambda: frame_engine(bad, "server", admit, counted),
    ):
        with pytest.raises(ValueError, match=rf"^no engine '{name}'; there is: native, pure, reference$"):
            call()


def chosen(monkeypatch: pytest.MonkeyPatch, speedups: ModuleType | None) -> ModuleType:
    """Run the module anew where this is what `spry_core.speedups` is; None if it is not built."""
    monkeypatch.setitem(sys.modules, "spry_core.speedups", speedups)
    monkeypatch.delattr(spry_core, "speedups", raising=False)
    spec = spec_from_file_location("another_choice", choice.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def built_module() -> ModuleType:
    """Make a module that has what the one in C has."""
    module = ModuleType("spry_core.speedups")
    vars(module).update({name: getattr(pure, name) for name in ("unmask", "frame", "scan", "parse_head")})
    return module


def test_the_native_engine_takes_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built = built_module()
    module = chosen(monkeypatch, built)
    assert module.PRIMITIVES is built
    assert module.HAS_SPEEDUPS is True


def test_where_nothing_is_built_it_takes_those_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    module = chosen(monkeypatch, None)
    assert module.PRIMITIVES is pure
    assert module.HAS_SPEEDUPS is False


@pytest.mark.engines_by_name
def test_the_pure_engine_never_takes_those_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(*arguments: object) -> object:
        raise AssertionError("asked")

    built = built_module()
    monkeypatch.setattr(built, "scan", scan)
    module = chosen(monkeypatch, built)
    engine = module.frame_engine("pure", "server", admit, counted)
    engine.receive_data(b"\x82\x81\0\0\0\0a")
    assert engine.take_messages(b"", 1, 1, 1) == ([b"a"], [1], False)
    engine = module.frame_engine("native", "server", admit, counted)
    with pytest.raises(AssertionError, match=r"^asked$"):
        engine.take_messages(b"", 1, 1, 1)
