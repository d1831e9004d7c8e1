"""Export: the neurofinder challenge's submission, of the regions of any recordings."""

import json
from dataclasses import dataclass

import numpy as np

from nwbridge import BadOption, BadSource, InvalidOutput, Session, option
from nwbridge_neurofinder.regions import Choice, Regions, of_session, of_submission


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen."""

    dataset: str | None = option(None, "of one FILE: the data set's name, such as 00.00.test, instead of the session's")
    segmentation: str | None = option(None, "the segmentation, where a FILE has several")
    above: float = option(0.0, "of weighted masks: the share of the largest weight that a pixel must exceed to count")
    rejected: bool = option(False, "true: write regions that are stored as rejected too")
    skip_empty: bool = option(False, "true: leave out regions without pixels, instead of refusing them")


def make(sessions: tuple[Session, ...], options: ExportOptions) -> bytes:
    """Return the submission, after reading it back."""
    if options.dataset is not None and len(sessions) > 1:
        raise BadOption(f"--dataset {options.dataset} names one recording; {len(sessions)} were given")
    choice = Choice(options.segmentation, options.above, options.rejected)
    found: dict[str, Regions] = {}
    for session in sessions:
        regions = of_session(session, choice)
        if regions.findings:
            raise BadSource(f"{session.id}: {regions.findings[0].message}; a submission cannot hold them")
        name = options.dataset or str(regions.name)
        if name in found:
            raise BadOption(f"two of the recordings are {name}: give one of them, or export each by itself")
        found[name] = _without_empty(regions, name, skip=options.skip_empty)
    content = [
        {"dataset": name, "regions": [{"coordinates": pixels.tolist()} for pixels in regions.pixels]}
        for name, regions in found.items()
    ]
    text = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    _compare(of_submission(json.loads(text), "what was written"), found)
    return text


def _without_empty(regions: Regions, name: str, *, skip: bool) -> Regions:
    """Return the regions that have pixels; BadSource where some have none, unless they are to be left out."""
    kept = tuple(pixels for pixels in regions.pixels if len(pixels))
    if len(kept) < len(regions.pixels) and not skip:
        number = next(n for n, pixels in enumerate(regions.pixels) if not len(pixels))
        many = len(regions.pixels) - len(kept)
        raise BadSource(
            f"{many} of {len(regions.pixels)} regions of {name} have no pixel of a weight above 0, the first is "
            f"number {number}: a submission cannot hold them; leave them out with --skip-empty true"
        )
    return Regions(name, kept)


def _compare(read: dict[str, Regions], meant: dict[str, Regions]) -> None:
    """Raise InvalidOutput unless every region reads back as it was."""
    for name, regions in meant.items():
        back = read[name].pixels
        if len(back) != len(regions.pixels) or not all(map(np.array_equal, back, regions.pixels)):
            raise InvalidOutput(f"the regions of {name} do not read back as they were; nothing was kept")
