from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spry_cli.errors import CommandError
from spry_cli.loader import load
from spry_core import Application

APPLICATION = "from spry_core import Application\n"


@pytest.fixture(autouse=True)
def own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what a test has imported, and where it looked for it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(target: str, app_dir: Path | str = ".") -> CommandError:
    with pytest.raises(CommandError) as caught:
        load(target, str(app_dir))
    return caught.value


def test_the_application_of_a_module_in_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"{APPLICATION}app = Application()\n")
    assert load("shop:app", str(tmp_path)) is sys.modules["shop"].app
    assert sys.path[0] == str(tmp_path.resolve())


def test_module_and_attribute_may_be_dotted(tmp_path: Path) -> None:
    package = tmp_path / "firm"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shop.py").write_text(f"{APPLICATION}class Site:\n    app = Application()\n")
    assert isinstance(load("firm.shop:Site.app", str(tmp_path)), Application)


@pytest.mark.parametrize(
    "target", ["shop", ":app", "shop:", "shop.py:app", "./shop:app", "shop:app()", ".shop:app"]
)
def test_a_target_of_another_form_is_refused_before_anything_is_imported(target: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise RuntimeError\n")
    error = refusal(target, tmp_path)
    assert str(error) == f"{target!r} is not of the form module:attribute, such as 'app:app'"
    assert error.__cause__ is None


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert str(refusal("shop:app", tmp_path / "none")) == f"there is no folder {str(tmp_path / 'none')!r}"


@pytest.mark.parametrize("module", ["nowhere_at_all", "nowhere_at_all.shop"])
def test_a_module_that_does_not_exist_is_named_without_a_traceback(module: str) -> None:
    error = refusal(f"{module}:app")
    assert str(error) == f"there is no module {module!r} in '.' or on the import path"
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError"),
        ("from spry_core import nothing_of_that_name", "ImportError"),
        ("app = 1 / 0", "ZeroDivisionError"),
        ("app = (", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_what_the_module_itself_does_wrong_is_the_cause(code: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "broken_shop.py").write_text(f"{code}\n")
    error = refusal("broken_shop:app", tmp_path)
    assert str(error) == f"module 'broken_shop' failed at its import: {name}"
    assert type(error.__cause__).__name__ == name


def test_an_attribute_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("class Site: ...\n")
    assert str(refusal("shop:Site.app", tmp_path)) == "module 'shop' has no 'Site.app'"


def test_what_is_no_application_is_refused_with_its_type(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def app(): ...\n")
    (tmp_path / "mall.py").write_text("app = 1\n")
    expected = "'mall:app' is no spry_core.Application but of type 'int'"
    assert str(refusal("mall:app", tmp_path)) == expected
    expected = "'shop:app' is no spry_core.Application but of type 'function'; --factory calls it"
    assert str(refusal("shop:app", tmp_path)) == expected


def test_a_factory_is_called_for_its_application(tmp_path: Path) -> None:
    code = "def make():\n    global made\n    made = Application()\n    return made\n"
    (tmp_path / "shop.py").write_text(APPLICATION + code)
    assert load("shop:make", str(tmp_path), is_factory=True) is sys.modules["shop"].made


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("make = 1", "'shop:make' cannot be called, so it is no factory"),
        ("def make(): ...", "what 'shop:make' returns is no spry_core.Application but of type 'NoneType'"),
        (
            "async def make(): ...",
            "what 'shop:make' returns is no spry_core.Application but of type 'coroutine'",
        ),
    ],
)
def test_what_is_no_factory_is_refused(code: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"{code}\n")
    with pytest.raises(CommandError) as caught:
        load("shop:make", str(tmp_path), is_factory=True)
    assert str(caught.value) == words


@pytest.mark.parametrize("error", ["LookupError", "SystemExit"])
def test_what_a_factory_raises_is_the_cause(error: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"def make():\n    raise {error}\n")
    with pytest.raises(CommandError) as caught:
        load("shop:make", str(tmp_path), is_factory=True)
    assert str(caught.value) == f"'shop:make' failed: {error}"
    assert type(caught.value.__cause__).__name__ == error
