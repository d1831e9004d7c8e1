"""Export: a cell set or an event set (.isxd) of the cells of one recording, as the vendor's library reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbridge import BadOption, BadSource, InvalidOutput, LazyArray, Region, Segmentation, Session, Traces, option
from nwbridge_ideas.cellsets import STATUSES, cell_set_of
from nwbridge_ideas.clock import Clock, clock_of, footer_of
from nwbridge_ideas.events import event_set_of
from nwbridge_ideas.isxd import read_isxd
from nwbridge_ideas.writing import cell_set, event_set, lists_of

TITLE = "an Inscopix cell set (raw or denoised traces) or event set (.isxd), of the cells of one FILE"
KINDS = {"raw": "fluorescence", "denoised": "denoised", "events": "deconvolved"}
UNITS = {"dff": "dF over F"}  # as the vendor's software calls them
BLOCK = 64 << 20  # bytes of traces that are read at once


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen."""

    what: Literal["raw", "denoised", "events"] = option(
        "raw", "cell set of raw traces, cell set of denoised traces, or event set of the deconvolved traces"
    )
    segmentation: str | None = option(None, "the segmentation of the cells, where FILE has several with traces")
    traces: str | None = option(None, "the traces to write, where several are of that kind, or of any other kind")


def make(sessions: tuple[Session, ...], options: ExportOptions) -> bytes:
    """Return the file, after reading it back."""
    if len(sessions) != 1:
        names = ", ".join(session.id for session in sessions)
        raise BadOption(f"{len(sessions)} recordings were given, {names}; expected one: export each by itself")
    (session,) = sessions
    cells = _cells(session, options.segmentation)
    shape = cells.image_shape
    if shape is None or len(shape) != 2:
        what = "no masks" if shape is None else f"volumes of {shape}"
        raise BadSource(f"{session.id}: {cells.name} has {what}; an .isxd file holds an image of each cell")
    traces = _traces(session, cells, options)
    footer = footer_of(session, shape)
    clock = clock_of(session, cells, traces, footer)
    columns = _columns(cells)
    called: list[str] = columns.get("cell_name") or _names(cells)
    extra = _extra(footer, traces)
    if options.what == "events":
        content = event_set(_rows(traces.data), called, clock, extra)
        _compare_events(content, called, clock, traces)
        return content
    lists = lists_of(called, cells.status, columns)
    content = cell_set(_records(cells, traces, clock), shape, clock, lists, footer, extra)
    _compare_cells(content, clock, lists, _records(cells, traces, clock))
    return content


def _cells(session: Session, name: str | None) -> Segmentation:
    """Return the segmentation that is meant."""
    found: list[Segmentation] = [one for one in session.of(Segmentation) if one.role == "cells"]
    have = ", ".join(one.name for one in found) or "no segmentation of cells"
    if name is not None:
        found = [one for one in found if one.name == name]
        if not found:
            raise BadOption(f"--segmentation {name}: {session.id} has none of that name; it has {have}")
    kept = [one for one in found if one.name != "DiscardedComponents"] or found
    traced = [one for one in kept if one.traces] if len(kept) > 1 else kept
    if len(traced) > 1:
        raise BadOption(f"{session.id} has several segmentations with traces, {have}: name one with --segmentation")
    if not traced or not traced[0].traces:
        raise BadSource(f"{session.id} has no cells with traces (it has {have}); a cell set holds a trace of each cell")
    return traced[0]


def _traces(session: Session, cells: Segmentation, options: ExportOptions) -> Traces:
    """Return the traces that are meant."""
    have = ", ".join(f"{one.name} ({one.kind})" for one in cells.traces)
    if options.traces is not None:
        named = [one for one in cells.traces if one.name == options.traces]
        if not named:
            raise BadOption(f"--traces {options.traces}: {cells.name} has none of that name; it has {have}")
        return named[0]
    kind = KINDS[options.what]
    found = [one for one in cells.traces if one.kind == kind]
    usual = [one for one in found if one.name in (options.what, kind)]
    if len(found) != 1 and len(usual) != 1:
        words = f"no {kind} traces" if not found else f"several {kind} traces"
        raise BadSource(
            f"{session.id}: {cells.name} has {words}, which --what {options.what} wants; it has {have}: name some with "
            "--traces"
        )
    return (usual if len(usual) == 1 else found)[0]


def _columns(cells: Segmentation) -> dict[str, list[Any]]:
    """Return the columns that stand in a footer's lists, where they can."""
    known = {column.name: column.values for column in cells.columns if column.ends is None}
    found: dict[str, list[Any]] = {}
    for name, kinds in (("cell_name", "U"), ("cell_color", "u"), ("cell_active", "b")):
        values = known.get(name)
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in kinds:
            found[name] = values.tolist()
    if len(set(found.get("cell_name", []))) < len(cells):
        found.pop("cell_name", None)
    return found


def _names(cells: Segmentation) -> list[str]:
    ids = range(len(cells)) if isinstance(cells.regions, LazyArray) else [region.id for region in cells.regions]
    return [f"C{number}" for number in ids]


def _extra(footer: dict[str, Any], traces: Traces) -> Any:
    """Return what the first file's footer says of animal and microscope, with the unit of these traces."""
    extra = footer.get("extraProperties")
    unit = UNITS.get(traces.kind, traces.unit)
    idps = extra.get("idps") if isinstance(extra, dict) else None
    said = idps.get("cellset") if isinstance(idps, dict) else None
    if unit is None and not isinstance(said, dict):
        return extra
    known = {key: value for key, value in said.items() if key != "units"} if isinstance(said, dict) else {}
    below = {**(idps if isinstance(idps, dict) else {}), "cellset": known | ({"units": unit} if unit else {})}
    return {**(extra if isinstance(extra, dict) else {}), "idps": below}


def _rows(array: LazyArray) -> Iterator[npt.NDArray[Any]]:
    """Yield the entries of the first axis, read in blocks."""
    step = max(1, BLOCK // max(1, array.nbytes // max(1, array.shape[0])))
    with array.open() as reader:
        for start in range(0, array.shape[0], step):
            yield from np.asarray(reader[start : start + step])


def _records(
    cells: Segmentation, traces: Traces, clock: Clock
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Yield the image and the trace of each cell; NaN where a sample is missing."""
    shape = cells.image_shape or (0, 0)
    regions = cells.regions
    images = _rows(regions) if isinstance(regions, LazyArray) else (_image(cells, one, shape) for one in regions)
    for image, values in zip(images, _rows(traces.data), strict=True):
        trace = np.full(clock.count, np.nan, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            trace[clock.index] = values
            yield image.astype(np.float32), trace


def _image(cells: Segmentation, region: Region, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if region.pixels is None:
        raise BadSource(f"{cells.name} has regions without masks; an .isxd file holds an image of each cell")
    image = np.zeros(shape, np.float64)
    np.add.at(image, tuple(region.pixels.T), 1.0 if region.weights is None else region.weights)
    return image


def _compare_cells(content: bytes, clock: Clock, lists: dict[str, Any], records: Iterator[Any]) -> None:
    """Raise InvalidOutput unless our own reader reads what was meant."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cells.isxd"
        path.write_bytes(content)
        cells = cell_set_of(read_isxd(path))
        timing, statuses = cells.timing, [STATUSES.index(word) for word in cells.status]
        facts = (list(cells.names), statuses, timing.count, timing.period, timing.start, timing.present)
        meant = (lists["CellNames"], lists["CellStatuses"], clock.count, clock.period, clock.start)
        same = facts == (*meant, clock.present)
        written = zip(_rows(cells.images()), _rows(cells.traces()), records, strict=True)
        for image, trace, (mask, values) in written:
            same = same and np.array_equal(image, mask) and np.array_equal(trace, values, equal_nan=True)
    if not same:
        raise InvalidOutput("the cell set does not read back as it was; nothing was kept")


def _compare_events(content: bytes, names: list[str], clock: Clock, traces: Traces) -> None:
    """Raise InvalidOutput unless our own reader reads what was meant."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.isxd"
        path.write_bytes(content)
        events = event_set_of(read_isxd(path))
        with events.rows().open() as reader:
            rows = np.asarray(reader[0 : sum(events.counts)])
    same = (list(events.names), events.start) == (names, clock.start)
    offsets = clock.offsets_us()
    for channel, trace in enumerate(_rows(traces.data)):
        own = rows[rows["channel"] == channel]
        values = trace.astype(np.float32)
        samples = np.flatnonzero(values > 0)
        same = same and np.array_equal(own["offset_us"], offsets[samples])
        same = same and np.array_equal(own["value"], values[samples])
    if not same:
        raise InvalidOutput("the event set does not read back as it was; nothing was kept")
