"""What is worth knowing of a recording that can be written all the same."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge_allen.content import RAW, SUBTRACTED, Content
from nwbridge_allen.genotypes import indicator_of

PERCENT = 50  # above it ΔF/F is hardly a fraction


def oddities(content: Content) -> Iterator[tuple[str, str]]:
    """Yield what is worth knowing of a file, and what to do about it."""
    yield from _odd_genotype(content.genotype)
    yield from _odd_clock(content)
    yield from _odd_spikes(content)
    yield from _odd_fluorescence(content.dff)
    if content.threshold is None:
        yield "the file has neither quiroga nor quiroma: the spike threshold is unknown", "its column is left out"
    elif not 0 < abs(content.threshold) < 0.05:
        text = f"{content.threshold_key} is {content.threshold}; expected the spike threshold in volts, some 0.0005"
        yield text, "make sure of its unit; the value is written as it is"
    if content.threshold and content.noise > abs(content.threshold):
        text = f"half of the first samples of {SUBTRACTED} exceed {content.noise:.3g}, and the spike threshold "
        yield f"{text}{content.threshold_key} is {content.threshold:.3g}", "make sure that both are volts"
    if content.others:
        few = ", ".join(content.others[:5]) + (", …" if len(content.others) > 5 else "")
        yield f"not carried, because they are no keys of Dataset II: {few} ({len(content.others)} in all)", ""


def _odd_fluorescence(dff: npt.NDArray[np.floating[Any]]) -> Iterator[tuple[str, str]]:
    finite = np.isfinite(dff)
    if not finite.all():
        yield f"dff holds {(~finite).sum()} NaN or infinite among {dff.size} values", "they are written as they are"
    greatest = np.abs(dff[finite]).max(initial=0)
    if greatest > PERCENT:
        yield f"dff reaches {greatest:.6g}; expected ΔF/F as a fraction", "make sure that it is none in percent"


def _odd_clock(content: Content) -> Iterator[tuple[str, str]]:
    if content.dto > 1:
        yield f"dto is {content.dto:.6g}; expected a sampling period in seconds, some 0.03", "make sure of its unit"
    imaged, recorded = content.dff.size * content.dto, content.duration_s
    if abs(imaged - recorded) > content.dto + content.dte:
        imaging = f"dff lasts {imaged:.6g} s ({content.dff.size} × dto)"
        text = f"{imaging}, {RAW} {recorded:.6g} s ({content.raw.shape[0]} × dte)"
        yield text, "both are written from 0 s on; make sure that the file is whole"
    if content.raw.shape != content.subtracted.shape:
        counts = f"{RAW} has {content.raw.shape[0]} samples, {SUBTRACTED} {content.subtracted.shape[0]}"
        yield counts, "both are written from 0 s on; make sure that the file is whole"


def _odd_spikes(content: Content) -> Iterator[tuple[str, str]]:
    spikes = content.spikes
    outside = spikes[(spikes < 0) | (spikes > content.duration_s)]
    if outside.size:
        text = f"{outside.size} of {spikes.size} spike times lie outside the {content.duration_s:.6g} s of {RAW}"
        yield (
            f"{text}, the first at {outside[0]:.6g} s",
            "they are written as they are; make sure that they are seconds",
        )
    backwards = int((np.diff(spikes) <= 0).sum())
    if backwards:
        text = f"{backwards} of {spikes.size} spike times are not later than the one before"
        yield text, "they are written in the file's order; sort them before tools that expect it"


def _odd_genotype(genotype: str | None) -> Iterator[tuple[str, str]]:
    advice = "give it with --set Ophys.ImagingPlane.indicator=NAME"
    if not genotype:
        yield "the file has no genotype: the indicator is unknown", advice
    elif indicator_of(genotype) is None:
        expected = "expected one of Ai93 (GCaMP6f) and Ai94 (GCaMP6s)"
        yield f"genotype is {genotype!r}, which leaves the indicator unknown; {expected}", advice
