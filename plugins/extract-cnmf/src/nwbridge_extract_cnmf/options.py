"""What a user chooses: the IDEAS table as flags, each empty unless given, and where the rest comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nwbridge import BadOption, option

Table = dict[str, Any]  # parameters by their names, as given


@dataclass(frozen=True)
class ExtractOptions:
    """How cells are extracted; what is not given is the preset's."""

    preset: Literal["1p", "2p"] | None = option(None, "one-photon or two-photon parameters (default: as the movie is)")
    parameters: Path | None = option(None, "a parameter file as CaImAn's, JSON in groups")  # noqa: RUF009
    overwrite_analysis_table_parameters: bool = option(
        False, "true: the file goes before these options; false: the file is not used"
    )
    fr: str | None = option(None, "frames a second, or auto: the movie's, else 30 (default auto)")
    decay_time: float | None = option(None, "seconds that a transient lasts (default 0.4)")
    dxy: str | None = option(None, "pixels per µm, one number or rows,columns; for sizes in µm (default: the movie's)")
    p: Literal[0, 1, 2] | None = option(None, "calcium: 0 as it is, 1 decays, 2 rises and decays (default 1)")
    K: str | None = option(None, "most cells in a patch, or auto (default: auto, 2p 4)")
    gSig: str | None = option(None, "half size of a cell in pixels, one number or rows,columns (default 3)")  # noqa: N815
    gSiz: str | None = option(None, "box that a new cell is fitted in, in pixels (default 7)")  # noqa: N815
    merge_thr: float | None = option(None, "correlation above which overlapping components merge (default 0.7)")
    rf: str | None = option(None, "half size of a patch in pixels, or none: one patch (default 40)")
    stride: int | None = option(None, "overlap of patches in pixels (default 20)")
    tsub: int | None = option(None, "frames averaged where cells are looked for (default 2)")
    ssub: int | None = option(None, "pixels averaged along each axis where cells are looked for (default 1)")
    method_init: Literal["corr_pnr", "greedy_roi", "sparse_NMF"] | None = option(
        None, "how cells are looked for: one-photon, two-photon, dendrites (default corr_pnr, 2p greedy_roi)"
    )
    min_corr: float | None = option(None, "corr_pnr: least correlation of a seed with its neighbours (default 0.85)")
    min_pnr: float | None = option(None, "corr_pnr: least peak of a seed over its noise (default 12)")
    ssub_B: int | None = option(None, "corr_pnr: pixels averaged in the ring model (default 2)")  # noqa: N815
    ring_size_factor: float | None = option(None, "corr_pnr: radius of the ring in cell diameters (default 1.4)")
    method_deconvolution: Literal["oasis"] | None = option(None, "how spikes are inferred (default oasis)")
    update_background_components: bool | None = option(None, "find the background again with the cells (default true)")
    del_duplicates: bool | None = option(
        None, "keep one of two finds in patches, not their merger (default true, 2p false)"
    )
    nb: int | None = option(None, "components of the background (default 0, 2p 2)")
    low_rank_background: bool | None = option(
        None, "one background for the field, not for each patch (default false, 2p true)"
    )
    nb_patch: int | None = option(None, "components of the background in a patch (default 0, 2p 1)")
    rolling_sum: bool | None = option(None, "greedy_roi: most energy in any 100 frames, not in all (default true)")
    only_init: bool | None = option(None, "do not refine cells in patches, only all together (default true)")
    normalize_init: bool | None = option(
        None, "divide pixels by their noise to look for cells (default false, 2p true)"
    )
    center_psf: bool | None = option(None, "look through a filter of mean 0 (default true, 2p false)")
    bas_nonneg: bool | None = option(None, "hold baselines of traces at 0 or above (default false, 2p true)")
    border_pix: int | None = option(None, "pixels along the border that are left out (default 0)")
    refit: bool | None = option(None, "refine everything once more (default false)")
    n_processes: str | None = option(None, "patches at a time, or auto: --threads (default auto)")
    evaluate: bool | None = option(None, "accept and reject components (default true)")
    min_SNR: float | None = option(None, "least SNR of accepted components (default 2.5)")  # noqa: N815
    rval_thr: float | None = option(None, "least spatial consistency of those of less SNR (default 0.8)")
    SNR_lowest: float | None = option(None, "SNR below which all are rejected (default 0.5)")
    rval_lowest: float | None = option(None, "spatial consistency below which all are rejected (default 0.4)")
    seed: int | None = option(None, "of random numbers (default 0)")


_OTHERS = ("preset", "parameters", "overwrite_analysis_table_parameters")


def table_of(options: ExtractOptions) -> Table:
    """Return the parameters that were given, of the types that they have."""
    given = {name: value for name, value in asdict(options).items() if name not in _OTHERS and value is not None}
    return {name: _PARSED[name](name, value) if name in _PARSED else value for name, value in given.items()}


def _numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    words = text.strip("[]() ").replace(",", " ").split()
    try:
        values = tuple(kind(float(word)) for word in words)
        if kind is int and any(float(word) != value for word, value in zip(words, values, strict=True)):
            raise ValueError
    except ValueError:
        values = ()
    if len(values) not in (1, 2):
        what = "a whole number" if kind is int else "a number"
        raise BadOption(f"--{name} {text}: expected {what}, or two as rows,columns")
    return values * 2 if len(values) == 1 else values


def _pair(name: str, text: str) -> tuple[Any, ...]:
    return _numbers(name, text, int)


def _sizes(name: str, text: str) -> tuple[Any, ...]:
    return _numbers(name, text, float)


def _or_word(*words: str, kind: type = int) -> Any:
    def parse(name: str, text: str) -> Any:
        if text.lower() in words:
            return None
        try:
            value = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise BadOption(f"--{name.replace('_', '-')} {text}: expected {what} or {words[0]}") from None
        return value

    return parse


_PARSED: dict[str, Any] = {
    "fr": _or_word("auto", kind=float),
    "dxy": _sizes,
    "K": _or_word("auto", "none"),
    "gSig": _pair,
    "gSiz": _pair,
    "rf": _or_word("none"),
    "n_processes": _or_word("auto"),
}
