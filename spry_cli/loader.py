"""Find the application that a command names, `module:attribute`."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from spry_cli.errors import CommandError
from spry_core import Application


def load(target: str, app_dir: str = ".", *, is_factory: bool = False) -> Application:
    """Import the module of `target` and return its application.

    Args:
        target: Such as ``"app:app"`` or ``"package.module:container.app"``.
        app_dir: The folder that is searched first, before the rest of `sys.path`; it stays there, because the
            application may import more when it runs.
        is_factory: True if the attribute is a function without parameters that makes the application.

    Raises:
        CommandError: There is no such folder, module or attribute, or it is no `Application` (no function that makes
            one). If the module was found and its own code failed, that exception is the `__cause__`.
    """
    module_name, attribute = split(target)
    search_first(app_dir)
    found: object = import_module(module_name, app_dir)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CommandError(f"module {module_name!r} has no {attribute!r}") from None
    what = repr(target)
    if is_factory:
        found, what = made_by(found, target), f"what {target!r} returns"
    if not isinstance(found, Application):
        hint = "; --factory calls it" if callable(found) and not is_factory else ""
        raise CommandError(f"{what} is no spry_core.Application but of type {type(found).__name__!r}{hint}")
    return found


def made_by(factory: object, target: str) -> object:
    """Call the function that makes the application; whatever its code raises becomes the cause of a `CommandError`."""
    if not callable(factory):
        raise CommandError(f"{target!r} cannot be called, so it is no factory")
    try:
        made: object = factory()
    except (Exception, SystemExit) as error:
        raise CommandError(f"{target!r} failed: {type(error).__name__}") from error
    if inspect.iscoroutine(made):
        made.close()  # or Python warns that nobody has awaited it
    return made


def split(target: str) -> tuple[str, str]:
    """Split `target` at its colon; both sides must be dotted names, so that a path of a file is not taken for a module."""
    module_name, _, attribute = target.partition(":")
    if not (is_dotted_name(module_name) and is_dotted_name(attribute)) or module_name.endswith(".py"):
        raise CommandError(f"{target!r} is not of the form module:attribute, such as 'app:app'")
    return module_name, attribute


def is_dotted_name(text: str) -> bool:
    """Tell whether `text` is one or more identifiers with dots between them."""
    return all(part.isidentifier() for part in text.split("."))


def search_first(app_dir: str) -> None:
    """Put a folder in front of the import path."""
    folder = Path(app_dir)
    if not folder.is_dir():
        raise CommandError(f"there is no folder {app_dir!r}")
    sys.path.insert(0, str(folder.resolve()))


def import_module(name: str, app_dir: str) -> ModuleType:
    """Import a module of the user's; whatever its code raises becomes the cause of a `CommandError`."""
    try:
        return importlib.import_module(name)
    # SystemExit too: a script without a `__main__` guard may end itself, and here that is a failure like others.
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and is_part_of(error.name, name):
            raise CommandError(f"there is no module {name!r} in {app_dir!r} or on the import path") from None
        raise CommandError(f"module {name!r} failed at its import: {type(error).__name__}") from error


def is_part_of(missing: str | None, name: str) -> bool:
    """Tell whether the missing module is `name` itself or a package on the way to it, and not one that `name` imports."""
    return missing is not None and f"{name}.".startswith(f"{missing}.")
