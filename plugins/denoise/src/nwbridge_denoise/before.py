"""Whether a movie has been denoised already: the held-out error means nothing then."""

from __future__ import annotations

from collections.abc import Sequence

from nwbridge import Finding, Movie

DENOISED = "denoised, method"  # stands in the description of every movie that this step makes


def denoised_before(movie: Movie, others: Sequence[object]) -> tuple[Finding, ...]:
    """Say so where the movie, or one that it was made from, is the result of this step or is called denoised."""
    known = {other.name: other for other in others if isinstance(other, Movie)}
    last: Movie | None = None  # the first of its origins that had been denoised
    passed: set[str] = set()
    at: Movie | None = movie
    while at is not None and at.name not in passed:
        passed.add(at.name)
        if DENOISED in (at.description or "") or "denoised" in at.name.casefold():
            last = at
        at = known.get(at.made_from or "")
    if last is None:
        return ()
    text = (
        f"movie {movie.name} has been denoised before: the noise of its frames is no longer independent, so that the "
        "held-out errors, and what is chosen by them, mean nothing here"
    )
    if last.made_from in known:
        return (Finding("warning", text, f"denoise its source: --series {last.made_from}", check="denoise"),)
    source = f" ({last.made_from})" if last.made_from else ""
    return (Finding("warning", text, f"denoise the movie that it was made from{source}", check="denoise"),)
