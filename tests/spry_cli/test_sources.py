from __future__ import annotations

from pathlib import Path

import pytest

from spry_cli.errors import CommandError
from spry_cli.options import ACCESS_LOG, HOST, LIMIT, OF_ROUTES, OPTIONS, PORT
from spry_cli.sources import (
    NOWHERE,
    Found,
    Given,
    Source,
    Values,
    from_arguments,
    from_environment,
    from_project,
)


def project(folder: Path, text: str) -> Source:
    """Return what a pyproject.toml of this text says."""
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return from_project(file)


def test_the_command_line_is_taken_as_it_was_parsed() -> None:
    assert from_arguments(
        {"command": "run", "app": "a:b", "port": "80", "access-log": False, "limit": ["max_body=1", "max_fields=2"]}
    ) == {
        "app": Given("module:app", "a:b"),
        "port": Given("--port", "80"),
        "access-log": Given("--access-log", "false"),
        "limit": Given("--limit", "max_body=1,max_fields=2"),
    }  # fmt: skip


def test_the_environment_is_taken_by_its_prefix_and_an_empty_variable_is_none() -> None:
    assert from_environment(
        {"PORT": "1", "SPRY_PORT": "80", "SPRY_WS_MAX_SIZE": "5", "SPRY_HOST": "", "SPRYER": "x"}
    ) == {"port": Given("SPRY_PORT", "80"), "ws-max-size": Given("SPRY_WS_MAX_SIZE", "5")}


def test_a_variable_of_the_build_is_none_of_the_command() -> None:
    """An image in which `SPRY_PURE=1` was set to build without the C module serves all the same."""
    assert from_environment({"SPRY_PURE": "1"}) == {}


@pytest.mark.parametrize(
    ("variable", "hint"),
    [("SPRY_PROT", "; did you mean SPRY_PORT?"), ("SPRY_PORT_80_TCP_PROTO", ""), ("SPRY_XYZZY", "")],
)
def test_a_variable_that_is_no_options_is_refused_even_if_it_is_empty(variable: str, hint: str) -> None:
    with pytest.raises(CommandError) as caught:
        from_environment({variable: ""})
    assert str(caught.value) == f"{variable}: there is no such option{hint}"


def test_the_project_file_says_values_of_their_own_kinds(tmp_path: Path) -> None:
    label = "pyproject.toml, [tool.spry] "
    text = """\
        [tool.spry]
        app = "a:b"
        port = 80
        timeout-keep-alive = 2.5
        ws-ping-interval = "none"
        access-log = false
        limit = { max_body = 1, max_message_size = "none" }
    """
    assert project(tmp_path, text) == {
        "app": Given(f"{label}app", "a:b"),
        "port": Given(f"{label}port", "80"),
        "timeout-keep-alive": Given(f"{label}timeout-keep-alive", "2.5"),
        "ws-ping-interval": Given(f"{label}ws-ping-interval", "none"),
        "access-log": Given(f"{label}access-log", "false"),
        "limit": Given(f"{label}limit", "max_body=1,max_message_size=none"),
    }


@pytest.mark.parametrize("text", ["", "[tool.other]\nport = 1\n", "[project]\n", "[tool.spry]\n"])
def test_a_project_file_need_not_speak_of_us(text: str, tmp_path: Path) -> None:
    assert project(tmp_path, text) == {}


def test_a_project_file_need_not_be_there(tmp_path: Path) -> None:
    assert from_project(tmp_path / "pyproject.toml") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 1\n[tool", "pyproject.toml: expected ']' at the end of a table declaration (at end of document)"),
        ("tool = 1", "pyproject.toml, [tool.spry]: not a table"),
        ("[tool]\nspry = 1", "pyproject.toml, [tool.spry]: not a table"),
        ("[tool.spry]\nprot = 1", "pyproject.toml, [tool.spry] prot: there is no such option; did you mean port?"),
        ("[tool.spry]\napp_dir = 1", "pyproject.toml, [tool.spry] app_dir: there is no such option; did you mean app-dir?"),
        ("[tool.spry]\nhost = true", "pyproject.toml, [tool.spry] host: not true"),
        ("[tool.spry]\nhost = ['a']", "pyproject.toml, [tool.spry] host: a text, a number, or true or false"),
        ("[tool.spry]\nlimit = 'max_body=1'", "pyproject.toml, [tool.spry] limit: not a table"),
        ("[tool.spry]\nlimit = {}", "pyproject.toml, [tool.spry] limit: an empty table"),
        ("[tool.spry]\nlimit = { a = [] }", "pyproject.toml, [tool.spry] limit: a text, a number, or true or false"),
    ],
)  # fmt: skip
def test_what_a_project_file_cannot_say_is_told_with_its_key(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        project(tmp_path, text)
    assert str(caught.value) == words


def test_a_project_file_that_is_no_text_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(CommandError, match=r"^pyproject\.toml: 'utf-8' codec can't decode byte 0xff"):
        from_project(tmp_path / "pyproject.toml")
    with pytest.raises(CommandError, match=r"^pyproject\.toml: is a directory$"):
        from_project(tmp_path)


def test_the_last_place_wins_and_every_place_can_be_asked_for() -> None:
    low, high = {"port": Given("SPRY_PORT", "1")}, {"port": Given("--port", "2")}
    values = Values(OPTIONS, (low, {}, high))
    assert values[PORT] == 2
    assert values.find(PORT) == Found(2, "--port", 2)
    assert values.everywhere(PORT) == [Found(1, "SPRY_PORT", 0), Found(2, "--port", 2)]


def test_what_nobody_says_is_the_default() -> None:
    values = Values(OPTIONS, ({}, {}))
    assert (values[HOST], values[ACCESS_LOG], values[LIMIT]) == ("127.0.0.1", True, None)
    assert values.find(HOST) == Found("127.0.0.1", "--host", NOWHERE)


def test_what_is_wrong_is_told_also_where_it_is_overridden() -> None:
    with pytest.raises(CommandError) as caught:
        Values(OPTIONS, ({"port": Given("SPRY_PORT", "x")}, {"port": Given("--port", "2")}))
    assert str(caught.value) == "SPRY_PORT: a port is a number from 0 to 65535, not 'x'"


def test_a_command_does_not_look_at_the_options_of_another() -> None:
    values = Values(OF_ROUTES, ({"port": Given("SPRY_PORT", "x")},))
    assert values[PORT] == 8000
