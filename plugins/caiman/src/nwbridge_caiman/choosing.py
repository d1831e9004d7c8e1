"""Which elements of a session make up one result of CaImAn: the cells, and what belongs to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nwbridge import BadOption, BadSource, Image, Images, Parameters, Segmentation, Session, Table, Traces, option
from nwbridge_caiman.images import WORDS as IMAGES

CELLS, DISCARDED, FOOTER = "PlaneSegmentation", "DiscardedComponents", "movie_metadata"
_FIRST = ("data", "init", "merging", "motion", "online", "patch", "preprocess", "quality")
GROUPS = (*_FIRST, "ring_CNN", "spatial", "temporal")  # of CaImAn's parameters: it knows no other
USUAL = {"background": "Background", "ring": "ring_model", "images": "SummaryImages", "parameters": "caiman_parameters"}
# which traces are which member of estimates/: kinds, then names, in the order of preference
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "C": (("denoised",), "denoised"),
    "raw": (("fluorescence",), "raw"),
    "S": (("deconvolved",), "deconvolved"),
    "F_dff": (("dff", "detrended"), "dff"),
}
FLAGS = {"C": "denoised", "raw": "raw", "S": "deconvolved", "F_dff": "dff"}


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen."""

    segmentation: str | None = option(None, "the segmentation of the cells, where FILE has several with traces")
    denoised: str | None = option(None, "the traces that become C, where several are denoised")
    raw: str | None = option(None, "the traces that become C + YrA, where several are raw fluorescence")
    deconvolved: str | None = option(None, "the traces that become S, where several are deconvolved")
    dff: str | None = option(None, "the traces that become F_dff, where several are ΔF/F or detrended")
    background: str | None = option(
        None, "the segmentation whose masks and traces become b and f, where it is not clear"
    )
    parameters: str | None = option(None, "the parameters that become params, where it is not clear")
    rate: float | None = option(None, "frames a second, where the traces have none or uneven times")


@dataclass(frozen=True)
class Result:
    """One result of CaImAn."""

    session: Session
    cells: Segmentation
    traces: dict[str, Traces]
    background: Segmentation | None = None
    ring: Table | None = None
    images: dict[str, tuple[Image, ...]] = field(default_factory=dict)  # of a volume, one for each plane
    parameters: Parameters | None = None
    footer: Parameters | None = None
    discarded: Segmentation | None = None
    discarded_traces: dict[str, Traces] = field(default_factory=dict)


def result_of(session: Session, options: ExportOptions) -> Result:
    """Return what makes up the one result; BadSource, or BadOption, where there is none or several could."""
    cells, alone = _cells(session, options.segmentation)
    traces = _traces(cells, {key: getattr(options, flag) for key, flag in FLAGS.items()})
    if len(cells) and "C" not in traces:
        have = ", ".join(f"{one.name} ({one.kind})" for one in cells.traces) or "none at all"
        raise BadSource(
            f"{session.id}: {cells.name} has no denoised traces, which are CaImAn's C (its traces: {have}): extract "
            "sources or deconvolve first, or name them with --denoised"
        )
    grounds = [one for one in session.of(Segmentation) if one.role == "background" and one.traces]
    rings = [one for one in session.of(Table) if re.match(USUAL["ring"], one.name)]
    many = [one for one in session.of(Images) if any(_key(image) for image in one.images)]
    known = [one for one in session.of(Parameters) if any(key.split("/")[0] in GROUPS for key in one.values)]
    belong = _Belonging(session, cells.name, alone)
    summary = belong.find(many, "images", None, None)
    lost = next((one for one in session.of(Segmentation) if one.name == DISCARDED and one is not cells), None)
    return Result(
        session,
        cells,
        traces,
        background=belong.find(grounds, "background", options.background, "--background"),
        ring=belong.find(rings, "ring", None, None),
        images=_images(summary) if summary else {},
        parameters=belong.find(known, "parameters", options.parameters, "--parameters"),
        footer=next((one for one in session.of(Parameters) if one.name == FOOTER), None),
        discarded=lost if cells.name == CELLS else None,
        discarded_traces=_traces(lost, {}, "discarded_") if lost is not None and cells.name == CELLS else {},
    )


def _cells(session: Session, name: str | None) -> tuple[Segmentation, bool]:
    """Return the cells, and whether no other segmentation could have been meant."""
    found = [one for one in session.of(Segmentation) if one.role == "cells"]
    if name is not None:
        chosen = _named(session, found, name, "--segmentation")
        return chosen, len([one for one in found if one.name != DISCARDED]) == 1
    found = [one for one in found if one.name != DISCARDED] or found
    traced = [one for one in found if one.traces] if len(found) > 1 else found
    if len(traced) > 1:
        names = ", ".join(one.name for one in traced)
        raise BadOption(f"{session.id} has {len(traced)} segmentations with traces, {names}: name one, --segmentation")
    if not found:
        raise BadSource(f"{session.id} has no segmentation of cells: CaImAn's file holds components and their traces")
    chosen = (traced or found)[0]
    if len(chosen) and not chosen.traces:
        raise BadSource(f"{session.id}: {chosen.name} has no traces; expected at least denoised ones, CaImAn's C")
    return chosen, len(found) == 1


def _traces(cells: Segmentation, named: dict[str, str | None], prefix: str = "") -> dict[str, Traces]:
    """Return the traces by the member of estimates/ that they become."""
    found: dict[str, Traces] = {}
    for key, (kinds, usual) in KINDS.items():
        name = named.get(key)
        fitting = [one for kind in kinds for one in cells.traces if one.kind == kind]
        preferred = [one for one in cells.traces if one.name == prefix + usual and one.kind in kinds]
        if name is not None:
            found[key] = _one(cells, name, f"--{FLAGS[key]}")
        elif preferred or len(fitting) == 1:
            found[key] = (preferred or fitting)[0]
        elif fitting:
            names = ", ".join(one.name for one in fitting)
            raise BadOption(f"{cells.name} has several {kinds[0]} traces, {names}: name one with --{FLAGS[key]}")
    others = {"F_dff": f"{prefix}F_dff", "R": f"{prefix}residual"}
    others = {key: name for key, name in others.items() if key not in found}
    return found | {key: one for key, name in others.items() for one in cells.traces if one.name == name}


def _one(cells: Segmentation, name: str, flag: str) -> Traces:
    for one in cells.traces:
        if one.name == name:
            return one
    have = ", ".join(one.name for one in cells.traces) or "none"
    raise BadOption(f"{flag} {name}: {cells.name} has no traces of that name; it has {have}")


def _named(session: Session, found: Iterable[Any], name: str, flag: str) -> Any:
    found = tuple(found)
    for one in found:
        if one.name == name:
            return one
    have = ", ".join(one.name for one in found) or "nothing of the kind"
    raise BadOption(f"{flag} {name}: {session.id} has none of that name; it has {have}")


@dataclass(frozen=True)
class _Belonging:
    """Tells what belongs to the cells: where they are not alone, names have to say it."""

    session: Session
    cells: str
    alone: bool

    def find(self, found: list[Any], what: str, name: str | None, flag: str | None) -> Any:
        """Return the one that belongs to the cells, None where none does; BadOption where several could."""
        if name is not None and flag is not None:
            return _named(self.session, found, name, flag)
        usual = re.sub(CELLS, USUAL[what], self.cells) if self.cells.startswith(CELLS) else None
        same = [one for one in found if one.name == usual]
        begins = [one for one in found if one.name.startswith(self.cells)]
        for fitting in (same, begins, found if self.alone else []):
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                names = ", ".join(one.name for one in fitting)
                advice = f"name one with {flag}" if flag else "expected one"
                raise BadOption(f"{self.session.id}: {names} could all be the {what} of {self.cells}: {advice}")
        return None


def _key(image: Image) -> str | None:
    """Return which of CaImAn's images it is: Cn, or Cn_plane_0 of a volume."""
    found = re.fullmatch(rf"({'|'.join(IMAGES)})(?:_plane_\d+)?", image.name)
    return found.group(1) if found and len(image.data.shape) == 2 else None


def _images(summary: Images) -> dict[str, tuple[Image, ...]]:
    found: dict[str, tuple[Image, ...]] = {}
    for image in sorted(summary.images, key=lambda image: int((re.findall(r"_plane_(\d+)$", image.name) or [0])[0])):
        if key := _key(image):
            found[key] = (*found.get(key, ()), image)
    return found
