from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from spry_cli.errors import CommandError, report


def test_an_error_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report(CommandError("there is no folder 'none'"))
    assert capsys.readouterr() == ("", "spry: there is no folder 'none'\n")


def test_a_cause_is_shown_above_that_line_and_begins_in_the_code_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faulty_shop.py"
    path.write_text("def open_shop():\n    return 1 / 0\n\n\nopen_shop()\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ZeroDivisionError) as caught:
        importlib.import_module("faulty_shop")
    assert caught.tb is not None
    error = CommandError("module 'faulty_shop' failed at its import: ZeroDivisionError")
    # The first frame is this test's, as it would be the command's.
    error.__cause__ = caught.value.with_traceback(caught.tb.tb_next)
    report(error)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{path}", line 5, in <module>',
        f'  File "{path}", line 2, in open_shop',
    ]
    assert lines[-2:] == ["ZeroDivisionError: division by zero", f"spry: {error}"]


def test_a_cause_without_a_frame_of_the_user_is_shown_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The code of a module with a syntax error never runs."""
    error = CommandError("module 'shop' failed at its import: SyntaxError")
    error.__cause__ = SyntaxError("invalid syntax")
    report(error)
    assert capsys.readouterr().err == f"SyntaxError: invalid syntax\nspry: {error}\n"
