"""Everything that can be chosen: the parameters of the IDEAS table, with CaImAn's names, checked together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


def described(default: Any, words: str) -> Any:
    """Declare a field: its default and what it does."""
    return field(default=default, metadata={"help": words})


class BadParameters(ValueError):
    """Parameters that cannot be, all named in one line, with the way out."""


@dataclass(frozen=True)
class Parameters:
    """What an extraction is run with; lengths in pixels of the recording, as (rows, columns) where there are two.

    Defaults are those of the one-photon preset. `docs/steps/extract-cnmf.md` says what each does to the result, and
    where that differs from CaImAn.
    """

    fr: float | None = described(None, "frames a second; auto: what the file says, else 30")
    decay_time: float = described(
        0.4,
        "seconds that a typical transient lasts: how fast one rises, what is averaged for its SNR, and the decay where "
        "a trace shows none",
    )
    dxy: tuple[float, float] = described((1.0, 1.0), "pixels per µm; sizes of cells are told in µm with it")
    p: Literal[0, 1, 2] = described(1, "order of the calcium's dynamics: 0 no deconvolution, 1 decay, 2 rise and decay")
    K: int | None = described(None, "cells in a patch, at most; auto: as many as stand out")
    gSig: tuple[int, int] = described(  # noqa: N815
        (3, 3), "half size of a cell: the sigma of the Gaussian that it is looked for with"
    )
    gSiz: tuple[int, int] = described((7, 7), "size of the box that a new cell's footprint is first found in")  # noqa: N815
    merge_thr: float = described(0.7, "correlation of traces, above which overlapping components are one cell")
    rf: int | None = described(40, "half size of a patch; none: one patch as large as the field of view")
    stride: int = described(20, "overlap of neighbouring patches")
    tsub: int = described(2, "frames that are averaged where cells are looked for")
    ssub: int = described(1, "pixels, along each axis, that are averaged where cells are looked for")
    method_init: Literal["corr_pnr", "greedy_roi", "sparse_NMF"] = described(
        "corr_pnr", "how cells are looked for: corr_pnr (one-photon), greedy_roi (two-photon), sparse_NMF (dendrites)"
    )
    min_corr: float = described(0.85, "corr_pnr: least correlation of a seed with its neighbours")
    min_pnr: float = described(12.0, "corr_pnr: least ratio of a seed's peak to its noise")
    ssub_B: int = described(2, "corr_pnr: pixels, along each axis, of the ring model's blocks")  # noqa: N815
    ring_size_factor: float = described(1.4, "corr_pnr: radius of the ring, in diameters of a cell (4 gSig + 1)")
    method_deconvolution: Literal["oasis"] = described("oasis", "how spikes are inferred")
    update_background_components: bool = described(True, "find the background again together with the cells")
    del_duplicates: bool = described(True, "of one cell found in two patches keep the better one; false: merge them")
    nb: int = described(
        0,
        "components of the background; corr_pnr: by which the ring model's is told as well, 0 for the ring model alone",
    )
    low_rank_background: bool = described(
        False, "one background of nb components for the field; false: one of nb_patch for each patch"
    )
    nb_patch: int = described(0, "components of the background in a patch")
    rolling_sum: bool = described(True, "greedy_roi: look for the most energy in any 100 frames, not in all")
    only_init: bool = described(
        True, "only look for cells in patches and refine them together; false: refine them in each patch too"
    )
    normalize_init: bool = described(False, "divide pixels by their noise where cells are looked for")
    center_psf: bool = described(True, "look for cells with a filter of mean 0, which sees no even background")
    bas_nonneg: bool = described(False, "hold the baselines of traces at 0 or above")
    border_pix: int = described(0, "pixels along the border that are left out")
    refit: bool = described(False, "refine footprints and traces once more")
    n_processes: int | None = described(None, "patches that are worked on at a time; auto: as many as processors")
    evaluate: bool = described(True, "accept and reject components by SNR and spatial consistency")
    min_SNR: float = described(2.5, "least SNR of an accepted component")  # noqa: N815
    rval_thr: float = described(0.8, "least spatial consistency of an accepted component of a lower SNR")
    SNR_lowest: float = described(0.5, "SNR, below which a component is rejected whatever else")
    rval_lowest: float = described(0.4, "spatial consistency, below which a component is rejected whatever else")
    seed: int = described(0, "of what is random: the start of singular vectors")

    def __post_init__(self) -> None:
        if wrong := list(_wrong(self)):
            raise BadParameters("; ".join(wrong))

    @property
    def one_photon(self) -> bool:
        """Whether the background is the ring model's."""
        return self.method_init == "corr_pnr"

    @property
    def radius(self) -> float:
        """Of the ring, in pixels."""
        return self.ring_size_factor * (4 * sum(self.gSig) / 2 + 1)


ONE_PHOTON: Mapping[str, Any] = {}
TWO_PHOTON: Mapping[str, Any] = {
    "K": 4,
    "method_init": "greedy_roi",
    "del_duplicates": False,
    "nb": 2,
    "low_rank_background": True,
    "nb_patch": 1,
    "normalize_init": True,
    "center_psf": False,
    "bas_nonneg": True,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"1p": ONE_PHOTON, "2p": TWO_PHOTON}


def preset(name: str, **more: Any) -> Parameters:
    """Return the parameters of a preset, ``1p`` or ``2p``, with others in place of its own."""
    return Parameters(**{**PRESETS[name], **more})


_LEAST: Mapping[str, float] = {
    "gSig": 1,
    "gSiz": 3,
    "K": 1,
    "rf": 4,
    "stride": 0,
    "tsub": 1,
    "ssub": 1,
    "ssub_B": 1,
    "nb": 0,
    "nb_patch": 0,
    "border_pix": 0,
    "n_processes": 1,
    "min_pnr": 0,
    "seed": 0,
}
_ABOVE: Mapping[str, float] = {"fr": 0, "decay_time": 0, "dxy": 0, "ring_size_factor": 0}
_SHARES = frozenset({"min_corr", "merge_thr"})
_PAIRS = frozenset({"dxy", "gSig", "gSiz"})


def _wrong(chosen: Parameters) -> Iterator[str]:
    """Yield what cannot be, and the way out."""
    sound = True
    for entry in fields(chosen):
        value = getattr(chosen, entry.name)
        if value is None:
            continue
        if entry.name in _PAIRS and not (isinstance(value, tuple) and len(value) == 2):
            yield f"{entry.name} is {value}; expected two numbers, for rows and columns"
            sound = False
            continue
        values = value if isinstance(value, tuple) else (value,)
        if entry.name in _LEAST and not all(one >= _LEAST[entry.name] for one in values):
            yield f"{entry.name} is {_said(value)}; expected {_LEAST[entry.name]:g} or more"
        if entry.name in _ABOVE and not all(one > _ABOVE[entry.name] for one in values):
            yield f"{entry.name} is {_said(value)}; expected more than 0"
        if entry.name in _SHARES and not 0 <= value <= 1:
            yield f"{entry.name} is {value}; expected 0 to 1"
    if sound:
        yield from _choices(chosen)
        yield from _sizes(chosen)
        yield from _grounds(chosen)


def _choices(chosen: Parameters) -> Iterator[str]:
    if chosen.p not in (0, 1, 2):
        yield f"p is {chosen.p}; expected 0, 1 or 2"
    if chosen.method_init not in ("corr_pnr", "greedy_roi", "sparse_NMF"):
        yield f"method_init is {chosen.method_init}; expected corr_pnr, greedy_roi or sparse_NMF"
    if chosen.method_deconvolution != "oasis":
        yield f"method_deconvolution is {chosen.method_deconvolution}; expected oasis"
    if chosen.method_init == "sparse_NMF" and chosen.K is None:
        yield "sparse_NMF with K auto: such components cannot be counted; give K, the number in a patch"


def _sizes(chosen: Parameters) -> Iterator[str]:
    if chosen.rf is not None and chosen.stride >= 2 * chosen.rf:
        yield (
            f"stride is {chosen.stride} and a patch {2 * chosen.rf} wide (2 rf); expected an overlap smaller than a "
            "patch"
        )
    if chosen.rf is not None and 2 * chosen.rf < max(chosen.gSiz):
        yield (
            f"rf is {chosen.rf}, a patch of {2 * chosen.rf} pixels, and gSiz {max(chosen.gSiz)}; expected patches "
            "larger than cells: a larger rf"
        )
    if min(size - sigma for size, sigma in zip(chosen.gSiz, chosen.gSig, strict=True)) <= 0:
        yield (
            f"gSiz is {_said(chosen.gSiz)} and gSig {_said(chosen.gSig)}; expected a box larger than half a cell: "
            "about 4 gSig + 1"
        )


def _grounds(chosen: Parameters) -> Iterator[str]:
    if chosen.one_photon and chosen.low_rank_background and chosen.nb == 0:
        yield "low_rank_background is true and nb 0: no component is asked for; give nb, or low_rank_background false"
    if not chosen.one_photon and not chosen.low_rank_background and chosen.nb > 0 and chosen.nb_patch == 0:
        yield (
            f"low_rank_background is false, nb {chosen.nb} and nb_patch 0: the background of each patch has nb_patch "
            "components; give nb_patch, or low_rank_background true"
        )


def _said(value: Any) -> str:
    return ", ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value:g}"
