"""The version of nwbridge."""

__version__ = "0.1.0"
