"""One .isxd file as a session of its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nwbridge import BadSource, Finding, Parameters, Session
from nwbridge_ideas.acquisition import Acquisition, acquisition_of, plane_of
from nwbridge_ideas.cellsets import cell_set_of, segmentation_of, traces_of
from nwbridge_ideas.events import EventSet, elements_of, event_set_of
from nwbridge_ideas.isxd import Isxd, read_isxd
from nwbridge_ideas.movies import images_of, movie_of
from nwbridge_ideas.timing import Timing, timing_of

# lists of the footer that stand in columns: a value for each cell, or for each channel of events
_COLUMNS = {
    "cell set": {"CellNames", "CellStatuses", "CellColors", "CellActivity", "cellMetrics"},
    "event set": {"channel list", "numSamples", "startOffsets", "signalSteps", "signalTypes"},
}


def opened(path: Path, kind: str) -> Isxd:
    """Return a file that has to be of a kind."""
    file = read_isxd(path)
    if file.kind != kind:
        raise BadSource(f"{path.name} is a {file.kind}; expected a {kind}, as its name says")
    return file


def footer_of(file: Isxd, name: str = "isxd_footer", whole: bool = False) -> Parameters:
    """Return the footer, without the lists that stand in columns unless it is to be `whole`."""
    left_out = set() if whole else _COLUMNS.get(file.kind, set()) & file.footer.keys()
    words = f", without {', '.join(sorted(left_out))}, which stand in columns" if left_out else ""
    producer = file.get("producer", "name", default=None)
    version = file.get("producer", "version", default=None)
    return Parameters(
        name,
        {key: value for key, value in file.footer.items() if key not in left_out},
        f"the footer of {file.path.name}, as it is{words}",
        software=producer if isinstance(producer, str) else None,
        version=".".join(map(str, version)) if isinstance(version, list) else None,
    )


def session_of_file(path: Path, kind: Any, session_id: str) -> Session:
    """Describe one file."""
    file = read_isxd(path)
    elements: list[Any] = []
    findings: list[Finding] = []
    clock: Timing | EventSet
    what = file.kind
    if what == "event set":
        clock = event_set_of(file)
        elements += elements_of(clock)
        known = acquisition_of(file)
    else:
        clock = timing = timing_of(file)
        known = acquisition_of(file, timing)
        plane = plane_of(file, known.device, timing.rate_hz)
        if what == "movie":
            elements += movie_of(file, timing, plane, known, kind or "one-photon")
            findings += about_kind(file, kind)
        elif what == "image":
            elements.append(images_of(file, timing))
        else:
            cells = cell_set_of(file)
            elements.append(segmentation_of(cells, plane, traces_of(cells, "traces")))
        missing = timing.missing()
        elements += [missing] if missing else []
    elements.append(footer_of(file))
    return session_of(file, session_id, f"Inscopix {what} {path.name}.", elements, known, clock, findings)


def session_of(
    file: Isxd,
    session_id: str,
    description: str,
    elements: list[Any],
    known: Acquisition,
    clock: Timing | EventSet,
    findings: Iterable[Finding] = (),
    files: Iterable[Path] | None = None,
) -> Session:
    """Return the session with what is known of its acquisition."""
    name, start = file.path.name, clock.start_time
    origins = {
        "NWBFile.session_id": "name of the file or folder",
        "NWBFile.session_start_time": f"{name}: footer's {clock.said_in}",
        "Ophys.ImagingPlane.imaging_rate": f"{name}: footer's timingInfo/period",
        "Ophys.OnePhotonSeries.rate": f"{name}: footer's timingInfo/period",
        "Ophys.TwoPhotonSeries.rate": f"{name}: footer's timingInfo/period",
    }
    noted = [*findings, *known.findings, *_about_start(file, clock)]
    called = f" The session is called {known.session_name}." if known.session_name else ""
    return Session(
        id=session_id,
        description=description + called,
        elements=tuple(elements),
        start_time=start,
        subject=known.subject,
        files=tuple(files) if files is not None else (file.path,),
        experimenter=known.experimenter,
        findings=tuple(noted),
        origins={key: words for key, words in (origins | known.origins).items() if start or "start_time" not in key},
    )


def _about_start(file: Isxd, clock: Timing | EventSet) -> list[Finding]:
    """Say so where a file counts from 1970, as parts of a series do whose clock was never set."""
    if clock.start_time is not None or not clock.start:
        return []
    message = (
        f"the recording starts {float(clock.start):g} s after 1970 began: no clock was set, so the start is not known"
    )
    advice = "if you know it: --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00"
    return [Finding("hint", message, advice, file.path.name, "ideas")]


def about_kind(file: Isxd, kind: Any) -> list[Finding]:
    """Say what a movie is taken for where the user did not say how it was taken."""
    if kind is not None:
        return []
    message = "the footer does not say how the movie was taken: it is written as one-photon"
    if "mini2p" in str(file.said()).lower():
        message = "the footer mentions a two-photon microscope (mini2p), and the movie is written as one-photon"
    return [Finding("warning", message, "give --kind to say it", file.path.name, "ideas")]
