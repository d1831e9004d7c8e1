"""What lies where: one .isxd file, a folder of them, or the folder of a run of the CaImAn tool."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from nwbridge import BadOption, BadSource, Session, option
from nwbridge_ideas.isxd import read_isxd
from nwbridge_ideas.parts import Run, isxd_files, run_in
from nwbridge_ideas.run import session_of_part
from nwbridge_ideas.single import session_of_file

Recordings = dict[str, Callable[[], Session]]


@dataclass(frozen=True)
class Options:
    """What the files do not say."""

    kind: Literal["one-photon", "two-photon"] | None = option(
        None, "how movies were taken, which the files do not say; one-photon is taken"
    )
    movies: Path | None = option(  # noqa: RUF009
        None, "an .isxd movie, or a folder of them, that a CaImAn run was made from"
    )


def detect(path: Path) -> str | None:
    """Look for .isxd files, and for the names of the CaImAn tool's outputs."""
    try:
        if path.is_dir():
            names = [file.name for file in isxd_files(path)]
            cells = [name for name in names if "cellset_raw" in name.lower() or "cellset_denoised" in name.lower()]
            if cells:
                return f"{cells[0]} of a CaImAn run on IDEAS"
            return f"{len(names)} .isxd files, the first {names[0]}" if names else None
        if path.suffix.lower() != ".isxd" or not path.is_file() or not path.stat().st_size:
            return None
    except OSError:
        return None
    try:
        return f".isxd {read_isxd(path).kind}"
    except (BadSource, OSError):
        return "the name ends with .isxd"


def describe(path: Path, options: Options) -> Session | Mapping[str, Callable[[], Session]]:
    """Describe the one recording, or return a function for each of several."""
    if not path.is_dir():
        _refuse_movies(path, options)
        return session_of_file(path, options.kind, path.stem)
    run, others = run_in(path, _given(options.movies))
    if run is None:
        _refuse_movies(path, options)
        found: Recordings = {}
    else:
        _check_given(run, options)
        found = _parts(run, options)
    for file in others:
        name = _unused(file.stem, found)
        found[name] = partial(session_of_file, file, options.kind, name)
    if not found:
        raise BadSource(f"{path.name} holds no .isxd file")
    return next(iter(found.values()))() if len(found) == 1 else found


def _parts(run: Run, options: Options) -> Recordings:
    found: Recordings = {}
    for part in run.parts:
        name = run.folder.resolve().name
        name = _unused(f"{name}_{part.label}" if len(run.parts) > 1 else name, found)
        found[name] = partial(session_of_part, run, part, options.kind, name)
    return found


def _unused(name: str, taken: Recordings) -> str:
    """Return a name that can be a file's, and that no other recording has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "recording"
    number, found = 1, plain
    while found in taken:
        number += 1
        found = f"{plain}-{number}"
    return found


def _given(movies: Path | None) -> tuple[Path, ...]:
    if movies is None:
        return ()
    if movies.is_dir():
        return tuple(isxd_files(movies))
    if not movies.is_file():
        raise BadOption(f"--movies {movies}: there is no such file or folder")
    return (movies,)


def _check_given(run: Run, options: Options) -> None:
    """Raise BadOption where none of the movies that the user named is of the run."""
    given = _given(options.movies)
    joined = {movie.resolve() for part in run.parts for movie in part.movies}
    if given and not joined & {movie.resolve() for movie in given}:
        raise BadOption(
            f"--movies {options.movies}: none of its {len(given)} movies has the start, period, number of samples and "
            f"image size of a cell set in {run.folder.name}"
        )
    if options.movies is not None and not given:
        raise BadOption(f"--movies {options.movies}: it holds no .isxd file")


def _refuse_movies(path: Path, options: Options) -> None:
    if options.movies is not None:
        raise BadOption(f"--movies: {path.name} is no folder of a CaImAn run, to which movies could be added")
