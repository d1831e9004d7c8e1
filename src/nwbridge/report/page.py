"""The page: overview, filter and one card a recording, in one file that asks for nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from nwbridge.report.card import card
from nwbridge.report.entries import Entry
from nwbridge.report.markup import Markup, breakable, count, el, join, number, size
from nwbridge.report.recording import Drawn
from nwbridge.report.story import Story, icon, story
from nwbridge.version import __version__

STATIC = Path(__file__).parent / "static"
LEVELS = {"failed": "failed", "errors": "with errors", "warnings": "with warnings", "fine": "fine"}
_SIGNS = {  # paths in 16 × 16; words always stand beside them
    "ok": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.6 8.4l1-1 1.7 1.7 3.2-3.6 1.1 1-4.2 4.8z",
    "warn": "M8 1.2 15.4 14H.6zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z",
    "mend": "M8 .8 15.2 8 8 15.2.8 8zM7.2 4v5h1.6V4zm0 6v1.6h1.6V10z",
    "bad": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM5 6l1-1 2 2 2-2 1 1-2 2 2 2-1 1-2-2-2 2-1-1 2-2z",
}


def page(entries: Sequence[Entry], drawn: Sequence[Drawn | None], made: datetime) -> str:
    """Return the page's HTML."""
    told = [story(n, entry, one) for n, (entry, one) in enumerate(zip(entries, drawn, strict=True))]
    script = (STATIC / "report.js").read_text("utf-8")
    title = f"{told[0].title}: report" if len(told) == 1 else f"Report on {count(len(told), 'recording')}"
    several = len(told) > 1
    body = el(
        "body",
        _signs(),
        el("a", "Skip to the recordings", class_="skip", href="#recordings"),
        el("header", el("h1", title), _summary(told), class_="top"),
        el("main", _overview(told) if several else None, _cards(told)),
        el(
            "footer",
            el("p", f"Made on {made:%Y-%m-%d %H:%M} {made.tzname() or ''} by nwbridge {__version__}.", id="made"),
        ),
        el("script", Markup(script)),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", Markup((STATIC / "report.css").read_text("utf-8"))),
    )
    return "<!doctype html>\n" + el("html", head, "\n", body, lang="en") + "\n"


def _policy(script: str) -> str:
    """Return what the browser may do with the page: run this one program, show pictures inside, and load nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    rules = ("default-src 'none'", f"script-src 'sha256-{digest}'", "style-src 'unsafe-inline'", "img-src data: blob:")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def _signs() -> Markup:
    symbols = [
        el("symbol", el("path", d=d, fill_rule="evenodd"), id=f"i-{n}", viewBox="0 0 16 16") for n, d in _SIGNS.items()
    ]
    return el("svg", symbols, class_="signs", aria_hidden="true", width="0", height="0")


def _summary(told: Sequence[Story]) -> Markup:
    """Return how it went, in numbers."""
    levels = Counter(one.level for one in told)
    written = sum(one.line.get("status") in ("written", "skipped") for one in told)
    failed, files = levels["failed"], sum(one.entry.line is None for one in told)
    stored = sum(one.drawn.file_bytes for one in told)
    tiles = [(written, "written", "")] if written else []
    tiles += [(files, "NWB file" if files == 1 else "NWB files", "")] if files else []
    tiles += [(failed, "failed", "failed")] if failed or written else []
    tiles += [(levels["errors"], "with errors to mend", "errors"), (levels["warnings"], "with warnings", "warnings")]
    parts = [
        el("li", el("b", number(value, 7)), el("span", icon(level) if level and value else None, label),
           class_=f"tile {level if value else ''}".strip())
        for value, label, level in tiles
    ]  # fmt: skip
    if stored:
        parts.append(el("li", el("b", size(stored)), el("span", "in NWB files"), class_="tile"))
    return el("ul", parts, class_="tiles", aria_label="Summary")


def _overview(told: Sequence[Story]) -> Markup:
    tiles = [el("li", el("a", _thumb(one), _tell(one), href=f"#{one.identity}"), data_for=one.identity) for one in told]
    inside = (el("h2", "Overview", id="overview"), _filter(told), el("ul", tiles, class_="grid"))
    return el("section", *inside, aria_labelledby="overview")


def _tell(one: Story) -> Markup:
    name = " · ".join(dict.fromkeys(filter(None, (one.animal, one.title))))
    status = el("span", icon(one.level), one.status, class_=f"status {one.level}")
    return el("span", el("b", breakable(name)), status, el("span", one.source, class_="small"), class_="tell")


def _thumb(one: Story) -> Markup:
    return el("span", Markup(one.drawn.thumb) or el("span", "no picture", class_="none"), class_="frame")


def _filter(told: Sequence[Story]) -> Markup:
    """Return the choice of what is shown; without a running program there is none."""
    levels = Counter(one.level for one in told)
    sources = Counter(one.source for one in told)
    by_level = [el("option", f"{label} ({levels[name]})", value=name) for name, label in LEVELS.items() if levels[name]]
    by_source = [el("option", f"{name} ({total})", value=name) for name, total in sorted(sources.items())]
    return el(
        "form",
        el("label", "Status", el("select", el("option", "all", value=""), by_level, id="by-level")),
        el("label", "Source", el("select", el("option", "all", value=""), by_source, id="by-source")),
        el("label", "Search", el("input", type="search", id="by-text", placeholder="subject, session, message")),
        el("output", f"{len(told)} of {len(told)} shown", id="shown", aria_live="polite"),
        class_="filter", role="search", aria_label="Choose recordings",
    )  # fmt: skip


def _cards(told: Sequence[Story]) -> Markup:
    none = el("p", "No recording.", class_="note") if not told else None
    head = el("h2", "Recordings" if len(told) != 1 else "Recording", id="recordings", tabindex="-1")
    return el("section", head, join(card(one) for one in told), none, aria_labelledby="recordings")
