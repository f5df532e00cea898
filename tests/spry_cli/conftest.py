"""The command sets up logging, which is the whole process's: each test finds it untouched, and leaves it so."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[logging.Logger]:
    """Give the logger that the command sets up, without handlers, and put it back as it was."""
    logger = logging.getLogger("spry")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    logger.handlers = []
    yield logger
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
