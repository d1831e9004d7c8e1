"""Options of the network that cannot be, found before anything is computed and without PyTorch."""

from __future__ import annotations

from nwbridge import BadOption
from nwbridge_denoise.options import Options

LEVELS = 3  # where no number is given
MOST_FEATURES, MOST_LEVELS = 512, 6


def check(options: Options) -> None:
    """BadOption for numbers that make no network, and for files that cannot be or must not be written."""
    if options.steps is not None and options.train_seconds is not None:
        raise BadOption("--steps and --train-seconds: both were given; expected one of them")
    for flag, value, most in (
        ("--steps", options.steps, 10**9),
        ("--train-seconds", options.train_seconds, 10**9),
        ("--features", options.features, MOST_FEATURES),
        ("--levels", options.levels, MOST_LEVELS),
        ("--patch", options.patch, 10**9),
    ):
        if value is not None and not 0 < value <= most:
            raise BadOption(f"{flag} {value}: expected more than 0, and {most} at most")
    levels = options.levels or LEVELS
    if options.trains and options.patch < 2**levels:
        raise BadOption(f"--levels {levels} --patch {options.patch}: expected a patch of at least {2**levels}")
    _check_files(options)


def _check_files(options: Options) -> None:
    for flag, path in (("--save", options.save), ("--checkpoint", options.checkpoint)):
        if path is not None and not path.absolute().parent.is_dir():
            raise BadOption(f"{flag} {path}: there is no folder {path.parent}; make it first")
    if options.save is None:
        return
    if options.save.exists() or options.save.is_symlink():
        raise BadOption(
            f"--save {options.save}: there is such a file already, perhaps the weights of an earlier training; "
            "give another name, or remove it first"
        )
    if options.checkpoint is not None and options.checkpoint.absolute() == options.save.absolute():
        raise BadOption(f"--save and --checkpoint: both are {options.save}; give two names")
