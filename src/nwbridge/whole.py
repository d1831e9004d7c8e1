"""How a finished file takes its name: at once, and never from one that has appeared there meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def take_name(part: Path, out: Path, *, overwrite: bool) -> bool:
    """Give a file its final name; False, and nothing done, where that is taken and not to be overwritten."""
    if not overwrite:
        try:
            os.link(part, out)  # unlike a rename, fails where the name is taken
        except OSError:  # it is, or the file system has no hard links
            if os.path.lexists(out):
                return False
        else:
            return True
    part.replace(out)
    return True
