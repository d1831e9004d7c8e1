"""What a conversion would do: described, laid out and estimated, and nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nwbridge.description import named, read
from nwbridge.draft import lay_out, layout_for, named_after, threads_for
from nwbridge.errors import MissingMetadata
from nwbridge.metadata import Metadata
from nwbridge.model import Finding, Movie
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.sample import estimate
from nwbridge.plugins import Registry
from nwbridge.results import Inspection, summaries


def inspect(
    path: Path | str,
    *,
    source: str | None = None,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
    metadata: Metadata | Path | str | None = None,
    first: int | None = None,
    threads: int | None = None,
    chunks: tuple[int, int, int] | None = None,
    compression: Compression = "fast",
    registry: Registry | None = None,
) -> Inspection:
    """Say what `convert` would do with the same arguments, and estimate size and time from a few blocks."""
    layout = layout_for(compression, chunks)
    reading = read(named(path), source, only, options, metadata, first, registry)
    session, findings = reading.session, list(reading.session.findings)
    file = None
    try:
        file = lay_out(reading, layout, (), "")
    except MissingMetadata as error:
        findings.insert(0, Finding("error", str(error), check="describe"))
        timed = tuple(replace(e, rate_hz=1.0) if isinstance(e, Movie) else e for e in session.elements)
        layout = layout_for(compression, chunks)
        with suppress(MissingMetadata):  # sizes do not depend on the rate
            file = lay_out(replace(reading, session=replace(session, elements=timed)), layout, (), "")
    with named_after(reading.match.plugin):
        guess = estimate(layout, threads_for(threads), len(file.objects) if file is not None else 0)
    return Inspection(
        path=str(path),
        source=reading.match.source.name,
        plugin=reading.match.plugin.label,
        evidence=reading.match.evidence,
        session_id=session.id,
        description=session.description,
        elements=summaries(session.elements),
        fields=reading.fields,
        findings=tuple(findings),
        estimate=guess,
        steps=session.steps,
    )
