"""The errors of nwbridge: what a person can do about it decides the class.

::

    NwbridgeError                 every error of ours; str() is one line for people
    ├── NotRecognized             no installed source knows this path: install a plugin or name another path
    ├── Ambiguous                 several sources claim this path: choose one with --source
    ├── BadSource                 the recording is damaged or contradicts itself: mend or download it again
    ├── BadMetadata               the metadata that the user gave cannot be used: correct it
    ├── MissingMetadata           something that NWB requires is stated nowhere: give it
    ├── BadOption                 an option's value cannot be used: choose another
    ├── CannotWrite               the output cannot be written: another place, more space, --overwrite
    ├── MissingDependency         an optional package is not installed: install it
    ├── PluginFault               a plugin broke its contract or failed: tell its authors
    └── InvalidOutput             what was written is not what was read, or not NWB: nothing was kept

Each takes one message, so that every error can be pickled and sent between processes.
"""


class NwbridgeError(Exception):
    """Any error that nwbridge raises on purpose; its text is one line, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(part.strip() for part in message.splitlines() if part.strip()))


class NotRecognized(NwbridgeError):
    """No source recognizes the path."""


class Ambiguous(NwbridgeError):
    """More than one source recognizes the path."""


class BadSource(NwbridgeError):
    """The recording is damaged, incomplete or contradicts itself."""


class BadMetadata(NwbridgeError):
    """Metadata given by the user cannot be used."""


class MissingMetadata(NwbridgeError):
    """A value that NWB requires is stated nowhere."""


class BadOption(NwbridgeError):
    """An option has a value that cannot be used."""


class CannotWrite(NwbridgeError):
    """The output cannot be written."""


class MissingDependency(NwbridgeError):
    """An optional package is needed and not installed."""


class PluginFault(NwbridgeError):
    """A plugin failed or broke its contract; the message names it and its version."""


class InvalidOutput(NwbridgeError):
    """What was written differs from the source or is not valid NWB; nothing was kept."""
