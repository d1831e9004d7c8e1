"""Score: the neurofinder challenge's, of regions in NWB files, recordings and the challenge's own JSON."""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from nwbridge import BadOption, BadSource, Finding, Scores, option
from nwbridge_neurofinder.matching import scores
from nwbridge_neurofinder.regions import Choice, Regions, load, short

THRESHOLD_PX = 5.0  # of the neurofinder package's command
PIXELS_PER = 5.0  # µm: of the public leaderboard
FIVE = ("recall", "precision", "combined", "inclusion", "exclusion")


@dataclass(frozen=True)
class ScoreOptions:
    """What can be chosen."""

    threshold: float | None = option(
        None, "pixels that centres must be nearer than; inf: any (default round(5 · pixels per µm), else 5)"
    )
    match: Literal["greedy", "optimal"] = option("greedy", "greedy is the definition; optimal: as many pairs as can be")
    dataset: str | None = option(None, "the data set of a submission that is meant, such as 00.00.test")
    segmentation: str | None = option(None, "the segmentation of RESULT, where it has several")
    truth_segmentation: str | None = option(None, "the segmentation of TRUTH, where it has several")
    above: float = option(0.0, "of weighted masks: the share of the largest weight that a pixel must exceed to count")
    rejected: bool = option(False, "true: regions that are stored as rejected count too")


def score(truth: Path, result: Path, options: ScoreOptions) -> Scores:
    """Score the regions of `result` against those of `truth`."""
    if options.threshold is not None and options.threshold <= 0:
        raise BadOption(f"--threshold {options.threshold:g}: expected pixels, more than 0")
    of_truth = load(truth, Choice(options.truth_segmentation, options.above, options.rejected, "--truth-segmentation"))
    of_result = load(result, Choice(options.segmentation, options.above, options.rejected))
    findings: list[Finding] = []
    pairs = list(_pairs(of_truth, of_result, options.dataset, findings))
    threshold, why = _threshold(pairs[0][1], options.threshold)
    rows = []
    for name, mine, others in pairs:
        findings += _doubts(mine, others, name if len(pairs) > 1 else None)
        rows.append({"dataset": name} | scores(mine.pixels, others.pixels, threshold, options.match))
    if len(rows) > 1:
        rows.append({"dataset": "mean"} | {key: float(np.mean([row[key] for row in rows])) for key in FIVE})
    left_out = sum(one.left_out for _, *both in pairs for one in both)
    kept = "count as the others" if options.rejected else f"left out ({left_out} were)"
    conventions = {
        "threshold_px": threshold,
        "threshold_from": why,
        "centres_match_where": "their distance is below the threshold",
        "matching": "greedy, in the order of the truth"
        if options.match == "greedy"
        else "optimal, not the challenge's",
        "pixels": f"weight above {options.above:g} of the region's largest" if options.above else "weight above 0",
        "rejected_regions": kept,
    }
    return Scores(tuple(rows), conventions, tuple(findings))


def _threshold(truth: Regions, given: float | None) -> tuple[float, str]:
    """Return the threshold in pixels, and where it comes from."""
    if given is not None:
        return given, "--threshold"
    if truth.pixel_um is None:
        return THRESHOLD_PX, f"the neurofinder package's {THRESHOLD_PX:g}: the truth states no size of a pixel"
    density = round(1 / math.sqrt(math.prod(truth.pixel_um)), 9)
    rounded = float(round(PIXELS_PER * density))
    return max(1.0, rounded), f"round({PIXELS_PER:g} · {density:g} pixels per µm of the truth)" + ", at least 1" * (
        rounded < 1
    )


def _pairs(
    truth: Regions | dict[str, Regions],
    result: Regions | dict[str, Regions],
    dataset: str | None,
    findings: list[Finding],
) -> Iterator[tuple[str, Regions, Regions]]:
    """Yield what is to be compared: the name of a data set, its truth and its result."""
    several_true, several_found = isinstance(truth, dict), isinstance(result, dict)
    if dataset is not None and not (several_true or several_found):
        raise BadOption(f"--dataset {dataset} chooses of a submission; leave it out: each file is one data set")
    if isinstance(truth, dict) and isinstance(result, dict) and dataset is None:
        yield from _all_of(truth, result, findings)
        return
    mine = truth if isinstance(truth, Regions) else _one_of(truth, dataset, _name(result), "TRUTH")
    others = result if isinstance(result, Regions) else _one_of(result, dataset, _name(truth), "RESULT")
    name = str((others.name if several_found else mine.name) or others.name or "regions")
    if dataset is None and (several_true or several_found) and mine.name and others.name not in (None, mine.name):
        text = f"TRUTH is {mine.name}, RESULT is {others.name}"
        findings.append(Finding("hint", text, "make sure that both are of one recording", check="neurofinder"))
    yield name, mine, others


def _name(one: Regions | dict[str, Regions]) -> str | None:
    return one.name if isinstance(one, Regions) else None


def _one_of(several: Mapping[str, Regions], dataset: str | None, name: str | None, where: str) -> Regions:
    """Return the data set that was asked for, or that has the name of the other side, or is the only one."""
    known = ", ".join(several) or "none"
    if dataset is not None and short(dataset) not in several:
        near = difflib.get_close_matches(short(dataset), several, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {known}"
        raise BadOption(f"{where} has no data set {dataset}; {hint}")
    if dataset is not None or name in several:
        return several[short(dataset) if dataset is not None else str(name)]
    if len(several) != 1:
        raise BadOption(f"{where} has {len(several)} data sets ({known}): choose one with --dataset NAME")
    return next(iter(several.values()))


def _all_of(
    truth: Mapping[str, Regions], result: Mapping[str, Regions], findings: list[Finding]
) -> Iterator[tuple[str, Regions, Regions]]:
    """Yield every data set of the truth; of those that the result lacks, nothing was found."""
    if not set(truth) & set(result):
        raise BadSource(f"no data set in common: TRUTH has {', '.join(truth)}; RESULT has {', '.join(result)}")
    if missing := [name for name in truth if name not in result]:
        text = f"RESULT has no {', '.join(missing)}: scored as if nothing had been found there"
        findings.append(Finding("warning", text, check="neurofinder"))
    if more := [name for name in result if name not in truth]:
        findings.append(Finding("hint", f"TRUTH has no {', '.join(more)}: not scored", check="neurofinder"))
    for name, regions in truth.items():
        yield name, regions, result.get(name, Regions(None, ()))


def _doubts(truth: Regions, result: Regions, name: str | None) -> Iterator[Finding]:
    """Yield what makes a comparison doubtful: regions without pixels or outside of the image, another image.

    `name` is the data set's, where there are several.
    """
    shape = truth.image_shape or result.image_shape
    of = f" of {name}" if name else ""
    for where, regions in ((f"TRUTH{of}", truth), (f"RESULT{of}", result)):
        for one in regions.findings:  # those on JSON name the file
            yield replace(one, message=f"{where}: {one.message}") if one.check == "masks" else one
        if not regions.pixels and (regions.name or not name):  # one that is not there has been told of
            yield Finding("warning", f"{where} has no region: the scores are 0", check="neurofinder")
        if empty := sum(not len(pixels) for pixels in regions.pixels):
            text = f"{empty} of {len(regions.pixels)} regions of {where} have no pixel: they count, and match nothing"
            yield Finding("warning", text, check="neurofinder")
        low, high = (0, 0), shape or (math.inf, math.inf)
        if outside := sum(bool(((p < low) | (p >= high)).any()) for p in regions.pixels):
            text = f"{outside} of {len(regions.pixels)} regions of {where} have pixels outside of the image"
            size = f" of {shape[0]} rows and {shape[1]} columns" if shape else ""
            advice = "make sure that both are of one recording, row first; outside pixels count as they are"
            yield Finding("warning", text + size, advice, check="neurofinder")
    if truth.image_shape and result.image_shape and truth.image_shape != result.image_shape:
        both = f"{truth.image_shape} in TRUTH, {result.image_shape} in RESULT"
        advice = "make sure that both are of one recording, uncropped"
        yield Finding("warning", f"the images{of} differ: (rows, columns) are {both}", advice, check="neurofinder")
