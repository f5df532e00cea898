"""Tests of `spry_core.protocol.engines.choice`: an engine by its name."""

from __future__ import annotations

from typing import cast

import pytest

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
    assert frame_engine(name, role, admit, counted).frame(Opcode.BINARY, b"a") == expected


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
