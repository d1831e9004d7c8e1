"""Commands as a user types them, run in this process: half of the time of a new one goes into importing pynwb."""

import importlib
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from nwbridge.cli import main
from nwbridge.plugins import installed


def typed(words, site):
    """Run `nwbridge` with the plugins of `site` installed too; return exit code, standard output and errors."""
    out, errors = StringIO(), StringIO()
    with importable(site), redirect_stdout(out), redirect_stderr(errors):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), errors.getvalue()


@contextmanager
def importable(site):
    """Let what lies in a folder be imported, and forget it afterwards."""
    before = list(sys.path)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    installed.cache_clear()
    try:
        yield
    finally:
        sys.path[:] = before
        for name, module in list(sys.modules.items()):
            if Path(site) in Path(getattr(module, "__file__", None) or "").parents:
                del sys.modules[name]
        installed.cache_clear()
