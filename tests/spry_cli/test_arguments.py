from __future__ import annotations

import pytest

from spry_cli.arguments import make_parser
from spry_cli.errors import CommandError
from spry_cli.options import OF_ROUTES, OF_RUN, Option
from spry_core.version import VERSION


def parsed(*arguments: str) -> dict[str, object]:
    return vars(make_parser().parse_args(arguments))


def sample(option: Option[object]) -> tuple[list[str], object]:
    """Return how an option may be written, and what is then found under its name."""
    match option.shape:
        case "target":
            return ["a:b"], "a:b"
        case "switch":
            return [f"--no-{option.name}"], False
        case "pairs":
            return [option.flag, "a=1", option.flag, "b=2"], ["a=1", "b=2"]
        case "names":
            return [option.flag, "a", option.flag, "b"], ["a", "b"]
        case "value":
            return [option.flag, "-1"], "-1"


@pytest.mark.parametrize("option", OF_RUN, ids=lambda option: option.name)
def test_each_option_is_found_under_its_name_as_it_was_written(option: Option[object]) -> None:
    arguments, found = sample(option)
    assert parsed("run", *arguments) == {"command": "run", option.name: found}


@pytest.mark.parametrize("option", OF_ROUTES, ids=lambda option: option.name)
def test_routes_has_its_own(option: Option[object]) -> None:
    arguments, found = sample(option)
    assert parsed("routes", *arguments) == {"command": "routes", option.name: found}


def test_what_is_not_said_is_not_found() -> None:
    assert parsed("run") == {"command": "run"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: {run,routes} (see spry --help)"),
        (["run", "a:b", "--por", "1"], "unrecognized arguments: --por 1 (see spry --help)"),
        (["run", "--port"], "argument --port: expected one argument (see spry run --help)"),
        (["routes", "--port", "1"], "unrecognized arguments: --port (see spry --help)"),
    ],
)
def test_a_complaint_is_raised_with_where_help_is(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        parsed(*arguments)
    assert str(caught.value) == words


@pytest.mark.parametrize(("is_built", "words"), [(True, "yes"), (False, "no")])
def test_version_goes_to_standard_output(
    is_built: bool, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whether there is a C module, which nothing else would show."""
    monkeypatch.setattr("spry_cli.arguments.HAS_SPEEDUPS", is_built)
    with pytest.raises(SystemExit) as caught:
        parsed("--version")
    assert caught.value.code == 0
    assert capsys.readouterr() == (f"spry {VERSION} (speedups: {words})\n", "")


def test_the_help_names_every_option_and_fits_into_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parsed("run", "--help")
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) < 80
    assert out.startswith("usage: spry run [module:app] [options]\n\nServe an application.\n")
    words = " ".join(out.split())
    for option in OF_RUN:
        default = f" ({option.default_text})" if option.default_text else ""
        assert f"{option.label}" in words
        assert f"{option.help}{default}" in words
