"""Method svd: local low rank, blended over patches and segments of time; the default on a CPU."""

from __future__ import annotations

import nwbridge
from nwbridge import BadOption
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.heldout import split
from nwbridge_denoise.method import Fitted
from nwbridge_denoise.options import Options
from nwbridge_denoise.svd import lowrank
from nwbridge_denoise.svd.patches import grid
from nwbridge_denoise.svd.segments import OVERLAP, Choice, Denoised

PATCHES = (8, 16)  # rows and columns of a patch that are tried
WIDTHS = (0.0, 0.4, 0.7, 1.0)  # and widths over which components are smoothed, in pixels
USUAL = WIDTHS.index(0.7)


def _choose(frames: Frames, rank: int | None, threads: int) -> dict[Choice, float]:
    """Return held-out errors of what was tried: every patch, then widths for the better one, as long as they help."""
    held = split(frames)
    errors: dict[Choice, float] = {}

    def tried(patch: int, place: int) -> float:
        choice = Choice(patch, WIDTHS[place], rank)
        nwbridge.progress(f"svd: patches of {patch} pixels on held-out frames", len(errors), len(PATCHES) + len(WIDTHS))
        errors[choice] = held.error(Denoised(held.even, grid(held.even.shape[1:], patch), choice, threads).read)
        return errors[choice]

    best = {tried(patch, USUAL): patch for patch in PATCHES}
    error, patch = min(best.items())
    for places in (range(USUAL - 1, -1, -1), range(USUAL + 1, len(WIDTHS))):
        before = error
        for place in places:
            if (now := tried(patch, place)) >= error:
                break
            error = now
        if error < before:  # narrower is better: wider is not
            break
    return errors


def fit(frames: Frames, options: Options) -> Fitted:
    """Choose the size of patches by the held-out error; filters are learnt when frames are asked for."""
    if options.rank is not None and options.rank < 1:
        raise BadOption(f"--rank {options.rank}: expected 1 or more; leave it out to let the noise decide")
    threads = nwbridge.threads()
    errors = _choose(frames, options.rank, threads)
    best = min(errors, key=lambda choice: errors[choice])
    patches = grid(frames.shape[1:], best.patch)
    denoised = Denoised(frames, patches, best, threads)
    parameters = {
        "patch": list(patches.size),
        "smoothing_of_components": best.width,
        "rank": "components above the edge of noise" if options.rank is None else options.rank,
        "segments": len(denoised.segments),
        "overlap_frames": OVERLAP,
        "filter_frames": 2 * lowrank.HALO + 1,
        "tried": [f"patch {one.patch}, smoothing {one.width:g}: {error:.6g}" for one, error in errors.items()],
    }
    borders = (tuple(begin for begin, _ in denoised.segments[1:]), patches.rows[1:], patches.columns[1:])
    return Fitted("svd", parameters, denoised.read, False, errors[best], borders=borders)
