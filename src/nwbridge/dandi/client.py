"""DANDI's own client, loaded only when needed and kept quiet: no logs, no caches, no questions, no look for news."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from nwbridge.errors import MissingDependency

_ONE_AT_A_TIME = threading.RLock()  # what is changed while the client works is the whole process's


def require() -> None:
    """Load the client; MissingDependency where it is not installed."""
    os.environ.setdefault("DANDI_NO_ET", "1")  # it would ask the network for newer versions
    os.environ.setdefault("DANDI_CACHE", "ignore")  # it would keep what it found out in the user's home
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import dandi.metadata.nwb
            import dandi.upload  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"DANDI's client cannot be loaded ({error}): install it with pip install 'nwbridge[dandi]'"
        ) from error


@contextmanager
def quiet(offline: bool = True) -> Iterator[list[str]]:
    """Keep the client from the terminal and, if `offline`, from the network; yield what it tells its log.

    A species that is given as an address of the NCBI taxonomy is looked up in the network, so `offline` takes it as it
    is, and its address is among what is told.
    """
    require()
    import dandi.metadata.util

    told: list[str] = []
    logger = logging.getLogger("dandi")
    with _ONE_AT_A_TIME, ExitStack() as changed, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb's, which `validate` reports
        handler = _Collector(told)
        logger.addHandler(handler)
        changed.callback(logger.removeHandler, handler)
        changed.enter_context(patch.object(logger, "propagate", False))
        changed.enter_context(patch.dict("sys.modules", {"etelemetry": None}))  # it counts its users
        if offline:
            changed.enter_context(patch.object(dandi.metadata.util, "parse_purlobourl", lambda *_, **__: None))
        yield told


class _Collector(logging.Handler):
    """Keeps warnings and errors as text."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())
