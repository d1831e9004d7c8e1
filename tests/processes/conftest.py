"""A plugin that makes trouble, for the tests of this folder."""

from troubles import batch, examples, put, site, start, trouble_

__all__ = ["batch", "examples", "put", "site", "start", "trouble_"]
