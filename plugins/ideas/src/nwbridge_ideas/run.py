"""A run of the CaImAn tool on IDEAS: what CaImAn, the cell sets, the events and the movie say, in one session."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import nwbridge
from nwbridge import BadSource, Column, Finding, LazyArray, MissingDependency, Plane, Reader, Segmentation, Session
from nwbridge_ideas.acquisition import Acquisition, acquisition_of, plane_of
from nwbridge_ideas.agreement import as_many_events, same_cells, same_events, same_images, same_traces
from nwbridge_ideas.cellsets import CellSet, cell_set_of, columns_of, segmentation_of, traces_of
from nwbridge_ideas.events import elements_of, event_set_of
from nwbridge_ideas.isxd import Isxd, read_isxd
from nwbridge_ideas.movies import movie_of
from nwbridge_ideas.parts import Part, Run
from nwbridge_ideas.single import about_kind, footer_of, opened, session_of
from nwbridge_ideas.timing import Timing, timing_of

_REGIONS = "PlaneSegmentation"  # the name in this plugin and in nwbridge-caiman
_WORDS = {
    "raw": ("fluorescence", "CaImAn's C + YrA as the tool wrote it, float32"),
    "denoised": ("denoised", "CaImAn's C as the tool wrote it, float32"),
}


@dataclass
class _Making:
    """A part's session while it is put together."""

    run: Run
    part: Part
    cells: dict[str, CellSet]
    elements: list[Any] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: list[Isxd] = field(default_factory=list)

    @property
    def one(self) -> CellSet:
        """The cell set that stands for both."""
        return next(iter(self.cells.values()))

    def note(self, severity: Any, message: str, advice: str = "") -> None:
        self.findings.append(Finding(severity, message, advice, self.run.folder.name, "ideas"))


def session_of_part(run: Run, part: Part, kind: Any, session_id: str) -> Session:
    """Describe what belongs to one movie of a run; BadSource where its files are not of one run."""
    paths = {"raw": part.raw, "denoised": part.denoised}
    cells = {name: cell_set_of(opened(path, "cell set")) for name, path in paths.items() if path is not None}
    making = _Making(run, part, cells)
    making.files += [one.file for one in cells.values()]
    if len(cells) == 2:
        same_cells(cells["raw"], cells["denoised"], making.note)
    for name in paths.keys() - cells.keys():
        making.note("warning", f"{part.label} has no cellset_{name} file", "its traces are CaImAn's own, or missing")
    known = _acquisition(making)
    plane = plane_of(making.one.file, known.device, making.one.timing.rate_hz)
    _add_movies(making, kind, plane)
    caiman = _caiman(run)
    making.elements += _with_caiman(making, caiman, plane) if caiman else [_without_caiman(making, plane)]
    _add_events(making)
    missing = making.one.timing.missing()
    making.elements += [missing] if missing else []
    other = making.cells["denoised"].file if len(cells) == 2 else None  # the columns are those of the raw cell set
    making.elements += [footer_of(file, f"isxd_footer_{_label(file)}", file is other) for file in making.files]
    several = f", one of {len(run.parts)} movies analysed together" if caiman and len(run.parts) > 1 else ""
    session = session_of(
        making.one.file,
        session_id,
        f"Run of the CaImAn tool on the IDEAS platform, part {part.label}{several}.",
        making.elements,
        known,
        making.one.timing,
        findings=making.findings,
        files=[file.path for file in making.files],
    )
    if caiman is None:
        return session
    files = tuple(dict.fromkeys((*session.files, *caiman.files)))
    rest = tuple(
        f for f in caiman.findings if "NWBFile.session_start_time" not in f.advice
    )  # the cell sets' is written
    return replace(session, files=files, findings=session.findings + rest)


def _caiman(run: Run) -> Session | None:
    """Return what the source of CaImAn's files says, if there is one."""
    if run.caiman is None:
        return None
    try:
        return nwbridge.describe(run.caiman, source="caiman")
    except nwbridge.BadOption as error:
        raise MissingDependency(
            f"{run.caiman.name} was written by CaImAn, which another plugin reads: install nwbridge-caiman ({error})"
        ) from error


def _movies(part: Part) -> list[Isxd]:
    """Return the movies of a part, those that the tool corrected for motion last."""
    return sorted(map(read_isxd, part.movies), key=_is_corrected)


def _label(file: Isxd) -> str:
    return file.path.stem.replace(":", "-")  # which no name in an NWB file has


def _is_corrected(movie: Isxd) -> bool:
    return "mc_movie" in movie.path.name.lower()


def _acquisition(making: _Making) -> Acquisition:
    """Return what the first file says that says anything of the acquisition: a movie, or else the cell set."""
    files = (*_movies(making.part), making.one.file)
    said = [acquisition_of(file, making.one.timing) for file in files]
    return next((one for one in said if one.origins or one.device.manufacturer), said[-1])


def _add_movies(making: _Making, kind: Any, plane: Plane) -> None:
    movies = _movies(making.part)
    corrected = [file for file in movies if _is_corrected(file)]
    raw_name = "TwoPhotonSeries" if kind == "two-photon" else "OnePhotonSeries"
    for number, file in enumerate(movies):
        name, made_from = (raw_name if number == 0 else f"{raw_name}_{_label(file)}"), None
        if file in corrected:
            name = "MotionCorrected" if len(corrected) == 1 else f"MotionCorrected_{_label(file)}"
            made_from = raw_name if len(corrected) < len(movies) else "the movie that the tool was given"
        making.elements += movie_of(
            file, timing_of(file), plane, acquisition_of(file), kind or "one-photon", name, made_from
        )
        making.files.append(file)
        _about_movie(making, file.path, timing_of(file))
    if movies:
        making.findings += about_kind(movies[0], kind)


def _about_movie(making: _Making, path: Path, own: Timing) -> None:
    """Say where it is not sure that a movie belongs to the run, or which of its frames are there."""
    cells = making.one.file.path.name
    if own.spans != making.one.timing.spans:
        making.note("warning", f"{path.name} and {cells} miss other samples", f"missing_frames are those of {cells}")
    if own.start_time is None:
        making.note(
            "warning",
            f"{path.name} has the size, period and number of samples of {cells}, and neither has a date",
            "make sure that the run was made from this movie",
        )


def _on_plane(element: Any, plane: Plane) -> Any:
    return replace(element, plane=plane) if hasattr(element, "plane") else element


def _own_traces(making: _Making) -> tuple[Any, ...]:
    """Return the cell sets' traces."""
    return tuple(t for name, cells in making.cells.items() for t in traces_of(cells, name, *_WORDS[name]))


def _without_caiman(making: _Making, plane: Plane) -> Segmentation:
    making.note(
        "warning", "there is no caiman_output.hdf5 in the folder", "put it there: background and qualities are in it"
    )
    return segmentation_of(making.one, plane, _own_traces(making))


def _with_caiman(making: _Making, caiman: Session, plane: Plane) -> list[Any]:
    """Return CaImAn's elements with this part's clock, after checking that they are of one run."""
    cells, name = making.one, making.run.caiman.name if making.run.caiman else ""
    theirs = next((s for s in caiman.of(Segmentation) if s.name == _REGIONS), None)
    if theirs is None or len(theirs) != len(cells.names):
        raise BadSource(
            f"{cells.file.path.name} has {len(cells.names)} cells, {name} {0 if theirs is None else len(theirs)}; "
            "expected the same: are they of one run?"
        )
    if tuple(theirs.image_shape or ()) != cells.shape:
        raise BadSource(f"{cells.file.path.name} has images of {cells.shape}, {name} of {theirs.image_shape}")
    same_images(cells, theirs.regions, name, making.note)
    start, stop = _place(making, caiman, name)
    for traces in theirs.traces:
        if traces.name in making.cells:
            same_traces(making.cells[traces.name], _cut(traces.data, start, stop), name, making.note)
    _compare_rates(making, theirs, name)
    own = _own_traces(making)
    names = {traces.name for traces in own}
    rest = tuple(t for t in _sliced(making, theirs, start, stop).traces if t.name not in names)
    columns = {column.name: column for column in (*theirs.columns, *columns_of(cells), *_status(making, theirs, name))}
    mine = replace(theirs, plane=plane, status=cells.status, columns=tuple(columns.values()), traces=(*own, *rest))
    others = [_sliced(making, e, start, stop) if isinstance(e, Segmentation) else e for e in caiman.elements]
    return [mine if e.name == theirs.name else _on_plane(e, plane) for e in others]


def _status(making: _Making, theirs: Segmentation, name: str) -> tuple[Column, ...]:
    """Return CaImAn's own verdicts as a column where the cell sets say anything else."""
    if theirs.status == making.one.status:
        return ()
    if theirs.status is None:
        making.note("hint", f"{name} was never evaluated; the status of each cell is the cell set's")
        return ()
    pairs = zip(making.one.names, theirs.status, making.one.status, strict=True)
    changed = [f"{cell} ({one}, now {other})" for cell, one, other in pairs if one != other]
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    making.note(
        "warning",
        f"the cell set has another status than {name}: {changed[0]}{more}",
        "the cell set's is written as status, CaImAn's as caiman_status",
    )
    return (Column("caiman_status", np.array(theirs.status), f"status according to {name}"),)


def _compare_rates(making: _Making, theirs: Segmentation, name: str) -> None:
    ours, rate = making.one.timing.rate_hz, theirs.plane.rate_hz
    if rate is not None and abs(rate - ours) > 1e-3 * ours:
        making.note("warning", f"CaImAn took {rate:g} frames a second ({name}), the cell sets say {ours:g}")


def _place(making: _Making, caiman: Session, name: str) -> tuple[int, int]:
    """Return which samples of CaImAn's traces are this part's: the tool puts movies together by their start."""
    timings = [timing_of(opened(part.cells, "cell set")) for part in making.run.parts]
    order = sorted(range(len(timings)), key=lambda number: timings[number].start)
    lengths = {t.data.shape[1] for s in caiman.of(Segmentation) for t in s.traces}
    total = sum(timing.count for timing in timings)
    if lengths - {total}:
        said = " + ".join(str(timings[number].count) for number in order)
        raise BadSource(
            f"{name} has traces of {min(lengths - {total})} samples, the cell sets of {making.run.folder.name} "
            f"{said} = {total}; expected as many: are all parts of the run in the folder?"
        )
    before = order[: order.index(making.run.parts.index(making.part))]
    start = sum(timings[number].count for number in before)
    return start, start + making.one.timing.count


def _sliced(making: _Making, segmentation: Segmentation, start: int, stop: int) -> Segmentation:
    """Return a segmentation whose traces have only this part's samples, at its rate."""
    rate = making.one.timing.rate_hz
    traces = (replace(t, data=_cut(t.data, start, stop), rate_hz=rate, timestamps=None) for t in segmentation.traces)
    return replace(segmentation, traces=tuple(traces))


def _cut(data: LazyArray, start: int, stop: int) -> LazyArray:
    """Return samples `start` to `stop` of all traces."""
    if (start, stop) == (0, data.shape[1]):
        return data

    @contextmanager
    def open_part() -> Iterator[Reader]:
        with data.open() as reader:
            yield _Samples(reader, start, stop)

    return LazyArray((data.shape[0], stop - start), data.dtype, open_part, data.parallel)


@dataclass(frozen=True)
class _Samples:
    reader: Reader
    start: int
    stop: int

    def __getitem__(self, key: slice, /) -> Any:
        return self.reader[key][:, self.start : self.stop]


def _add_events(making: _Making) -> None:
    """Add the events, whose channels have to be the cells."""
    if making.part.events is None:
        making.note("hint", f"{making.part.label} has no neural_events file")
        return
    events, cells = event_set_of(opened(making.part.events, "event set")), making.one
    same_events(cells, events)
    deconvolved = next(
        (t for e in making.elements if isinstance(e, Segmentation) for t in e.traces if t.name == "deconvolved"), None
    )
    if deconvolved is not None and making.run.caiman is not None:
        as_many_events(events, deconvolved.data, making.run.caiman.name, making.note)
    making.elements += elements_of(events, _REGIONS)
    making.files.append(events.file)
