"""A recording laid out as an NWB file whose arrays are still empty: `convert` fills them, `inspect` measures some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nwbridge import processors
from nwbridge.description import Reading
from nwbridge.errors import BadOption, MissingMetadata, PluginFault
from nwbridge.nwb.build import Layout, build
from nwbridge.nwb.chunks import COMPRESSIONS
from nwbridge.options import flags
from nwbridge.plugins import Plugin, call

_GIVE_RATE = re.compile(r"give it with --set (Ophys\.(\w+)\.rate)=HZ(, or give --rate HZ)?$")


def layout_for(compression: str, chunks: Sequence[int] | None) -> Layout:
    """Return an empty layout; BadOption where the compression or the chunks cannot be."""
    if compression not in COMPRESSIONS:
        raise BadOption(f"--compression {compression}: expected one of {', '.join(COMPRESSIONS)}")
    if chunks is not None and (len(chunks) != 3 or min(chunks) < 1):
        raise BadOption(f"--chunks {chunks}: expected frames, rows and columns, each at least 1, as in 64,128,128")
    return Layout(compression=compression, chunks=tuple(chunks) if chunks else None)


def threads_for(threads: int | None) -> int:
    """Return how many threads compress."""
    if threads is not None and threads < 1:
        raise BadOption(f"--threads {threads}: expected at least 1")
    return threads or processors.few()


def lay_out(reading: Reading, layout: Layout, unknown: Sequence[str], script: str) -> Any:
    """Return the NWBFile; pynwb's complaint about a value is the fault of the plugin that gave it."""
    arguments = (reading.session, layout, unknown, reading.made_by, script)
    try:
        return call(reading.match.plugin, "laying out the file", build, *arguments)
    except MissingMetadata as error:
        if not any(flag.name == "rate" for flag in flags(reading.match.source.options)):
            raise
        raise MissingMetadata(f"{error}, or give --rate HZ") from error


def of_many(message: str) -> str:
    """Return what a missing rate asks for where there are other recordings: flags would change theirs as well."""
    return _GIVE_RATE.sub(
        r"give it to this recording alone, as a value in the column \1 of a table, or in an entry of Sessions: "
        r"- path: this one's, Ophys: {\2: [{rate: HZ}]} (--set and --rate speak of all recordings)",
        message,
    )


@contextmanager
def named_after(plugin: Plugin) -> Iterator[None]:
    """Put the plugin's name and version on its failures while its arrays are read."""
    try:
        yield
    except PluginFault as error:
        raise PluginFault(f"{plugin.label}: {error}") from error
