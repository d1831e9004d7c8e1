"""The step `extract-cnmf`: movies of one field of view go in, the same cells come out for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import nwbridge
from nwbridge import BadOption, BadSource, Finding, Movie
from nwbridge_extract_cnmf import grouped
from nwbridge_extract_cnmf.elements import elements_of
from nwbridge_extract_cnmf.extraction import RATE, extract
from nwbridge_extract_cnmf.movies import BadMovie, scratch
from nwbridge_extract_cnmf.options import ExtractOptions, table_of
from nwbridge_extract_cnmf.parameters import PRESETS, BadParameters, Parameters

ALIKE = 1e-3  # relative difference of rates that are one


def run(elements: tuple[Any, ...], options: ExtractOptions) -> Sequence[Any]:
    """Extract the cells of one movie."""
    return run_together((elements,), options)[0]


def run_together(series: Sequence[tuple[Any, ...]], options: ExtractOptions) -> list[Sequence[Any]]:
    """Extract the cells of several movies as if they were one; each gets them on its own timeline."""
    movies: list[Movie] = [elements[0] for elements in series]
    _check(movies)
    findings: list[Finding] = []
    parameters = _parameters(options, movies, findings)
    parameters = replace(parameters, fr=_rate(parameters, movies, findings))
    parameters = replace(parameters, n_processes=parameters.n_processes or nwbridge.threads())
    try:
        opened = [(movie.data.shape, movie.data.dtype, movie.data.open) for movie in movies]
        with scratch(opened, lambda done, total: nwbridge.progress("reading frames", done, total)) as laid:
            dark = -movies[0].offset / movies[0].conversion
            found = extract(laid, parameters, dark=dark, tell=nwbridge.progress)
            held, lengths = laid.held, laid.lengths
    except BadMovie as error:
        raise BadSource(f"{', '.join(movie.name for movie in movies)}: {error}") from error
    findings += [Finding("hint", note, check="extract-cnmf") for note in found.notes if note != "no cell was found"]
    if not len(found):
        findings.append(_none_found(movies[0], parameters))
    if held.any():
        text = f"{int(held.sum())} of {len(held)} frames are NaN everywhere: traces are NaN there"
        findings.append(Finding("warning", text, check="extract-cnmf"))
    # the number of workers changes nothing in the results
    found = replace(found, parameters=replace(parameters, n_processes=None))
    ends = np.cumsum(lengths)
    return [
        [*elements_of(found, movie, slice(int(end - length), int(end)), held), *findings]
        for movie, end, length in zip(movies, ends, lengths, strict=True)
    ]


def _check(movies: Sequence[Movie]) -> None:
    first = movies[0]
    for movie in movies:
        if len(movie.data.shape) != 3:
            raise BadSource(f"{movie.name} has volumes, {movie.data.shape}; expected frames of one plane")
        if movie.data.shape[1:] != first.data.shape[1:]:
            raise BadSource(
                f"{movie.name} has frames of {_size(movie)}, {first.name} of {_size(first)}; expected one field of view"
            )
        if (movie.conversion, movie.offset) != (first.conversion, first.offset) or not movie.conversion:
            raise BadSource(
                f"values of {movie.name} count {movie.conversion:g} each from {movie.offset:g} on, of {first.name} "
                f"{first.conversion:g} from {first.offset:g}; expected one scale, not 0"
            )


def _size(movie: Movie) -> str:
    return f"{movie.data.shape[1]} × {movie.data.shape[2]}"


def _parameters(options: ExtractOptions, movies: Sequence[Movie], findings: list[Finding]) -> Parameters:
    """Return the parameters: the preset's, then the table's, then the file's where it overwrites them."""
    name = options.preset or ("1p" if movies[0].kind == "one-photon" else "2p")
    values = {**PRESETS[name], **table_of(options)}
    pixel = movies[0].plane.pixel_um
    if "dxy" not in values and pixel is not None:
        values["dxy"] = (1 / pixel[0], 1 / pixel[1])
    if options.parameters is not None:
        values |= _of_file(options.parameters, findings, used=options.overwrite_analysis_table_parameters)
    elif options.overwrite_analysis_table_parameters:
        raise BadOption("--overwrite-analysis-table-parameters true: expected a file to do so, --parameters FILE.json")
    try:
        return Parameters(**values)
    except BadParameters as error:
        raise BadOption(f"parameters that cannot be: {error}") from error


def _of_file(path: Path, findings: list[Finding], *, used: bool) -> dict[str, Any]:
    """Return the parameters of a file, none where it is not to be used."""
    try:
        values, unused = grouped.read(path)
    except grouped.BadFile as error:
        raise BadOption(f"--parameters: {error}") from error
    if not used:
        text = f"{path.name} was not used: its parameters count only where they overwrite those of the table"
        findings.append(Finding("warning", text, "add --overwrite-analysis-table-parameters", check="extract-cnmf"))
        return {}
    if unused:
        few = ", ".join(unused[:8]) + (f" and {len(unused) - 8} more" if len(unused) > 8 else "")
        text = f"{path.name}: {few} have no effect on this step"
        findings.append(Finding("hint", text, check="extract-cnmf"))
    return values


def _rate(parameters: Parameters, movies: Sequence[Movie], findings: list[Finding]) -> float:
    """Return the frames a second: what the user says, else the movies', else 30 with a warning."""
    rates = [rate for movie in movies if (rate := _rate_of(movie)) is not None]
    if len(rates) > 1 and max(rates) - min(rates) > ALIKE * max(rates):
        names = ", ".join(f"{movie.name} {_rate_of(movie):g} Hz" for movie in movies)
        raise BadSource(f"the movies have several rates ({names}); expected one for all of a series")
    own = rates[0] if rates else None
    if parameters.fr is not None:
        if own is not None and abs(own - parameters.fr) > ALIKE * own:
            text = f"fr is {parameters.fr:g} Hz and {movies[0].name} says {own:g} Hz: fr was taken, as you say"
            findings.append(Finding("warning", text, "leave --fr out for the movie's", check="extract-cnmf"))
        return parameters.fr
    if own is None:
        text = f"{movies[0].name} does not say its rate: {RATE:g} frames a second were assumed"
        findings.append(Finding("warning", text, "give it with --fr", check="extract-cnmf"))
    return own or RATE


def _rate_of(movie: Movie) -> float | None:
    if movie.rate_hz is not None:
        return movie.rate_hz
    if movie.timestamps is not None and movie.timestamps.shape[0] > 1:
        with movie.timestamps.open() as reader:
            steps = np.diff(np.asarray(reader[0 : movie.timestamps.shape[0]], np.float64))
        if (middle := float(np.median(steps))) > 0:
            return 1 / middle
    return movie.plane.rate_hz


def _none_found(movie: Movie, parameters: Parameters) -> Finding:
    if parameters.one_photon:
        advice = f"lower --min-corr {parameters.min_corr:g} or --min-pnr {parameters.min_pnr:g}, or look at Cn and PNR"
    else:
        advice = "check --gSig against the size of cells in the report, or register the movie first"
    return Finding("warning", f"no cell was found in {movie.name}", advice, check="extract-cnmf")
