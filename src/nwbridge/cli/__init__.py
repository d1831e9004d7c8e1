"""The command line: parses, calls one function, prints."""

from nwbridge.cli.main import main

__all__ = ["main"]
