"""Tests of `spry_core.protocol.engines.choice`: an engine by its name."""

from __future__ import annotations

from typing import cast

import pytest

from spry_core.protocol.engines.choice import EngineName, check_engine, frame_engine, http_engine
from spry_core.protocol.engines.interface import Opcode
from spry_core.protocol.engines.reference import H11Engine, WsprotoEngine
from traces import counted


def admit(opcode: Opcode, length: int, rsv1: bool) -> None:
    pass


def test_the_reference_is_h11_and_wsproto() -> None:
    check_engine("reference")
    assert isinstance(http_engine("reference", "server", 100), H11Engine)
    assert isinstance(frame_engine("reference", "server", admit, counted), WsprotoEngine)


@pytest.mark.parametrize("name", ["", "Reference", "h11"])
def test_another_name_is_refused_and_the_names_are_told(name: str) -> None:
    bad = cast("EngineName", name)
    for call in (
        lambda: check_engine(name),
        lambda: http_engine(bad, "server", 100),
        lambda: frame_engine(bad, "server", admit, counted),
    ):
        with pytest.raises(ValueError, match=rf"^no engine '{name}'; there is: reference$"):
            call()
