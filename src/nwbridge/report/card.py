"""The card of one recording: what became of it, what to do, where everything comes from, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwbridge.report.history import history
from nwbridge.report.markup import Markup, breakable, clean, count, el, number, size
from nwbridge.report.story import ICONS, Story, amount, dicts, icon

ORIGINS = {"user": "given by you", "source": "from the source", "unknown": "not known"}
PHASES = {"describe": "read", "copy": "copy", "write": "write", "verify": "compare", "validate": "check"}


def card(told: Story) -> Markup:
    """Return the card."""
    figures = el("div", Markup(told.drawn.figures), class_="figures") if told.drawn.figures else None
    name = f"{told.identity}-title"
    steps = history(told.steps, told.identity)
    return el(
        "article", _head(told, name), _trouble(told), _left(told), _facts(told), _findings(told), steps, figures,
        _more(told),
        class_=f"card {told.level}", id=told.identity, aria_labelledby=name, data_level=told.level,
        data_source=told.source, data_text=words(told),
    )  # fmt: skip


def words(told: Story) -> str:
    """Return what a search looks through."""
    parts = [told.title, told.entry.name, told.source, told.status, *told.drawn.subject]
    parts += [str(told.line.get(key) or "") for key in ("plugin", "path", "message")]
    parts += [*(str(f.get("message")) for f in told.findings[:20])]
    return clean(" ".join(parts)).lower()[:1500]


def _head(told: Story, name: str) -> Markup:
    under = [*told.drawn.subject, told.drawn.started]
    plugin, evidence = told.line.get("plugin"), told.line.get("evidence")
    who = f"Processed by {plugin}" if told.line.get("steps") else f"Read by {told.source} ({plugin})"
    read_by = who + (f": {evidence}" if evidence else "") if plugin else ""
    return el(
        "header",
        el("p", icon(told.level), el("span", told.status), class_=f"status {told.level}"),
        el("h3", breakable(told.title), id=name),
        el("p", " · ".join(filter(None, under)), class_="subject") if any(under) else None,
        el("p", told.drawn.description, class_="description") if told.drawn.description else None,
        el("p", el("code", told.entry.name), f" {read_by}" if read_by else None, class_="small"),
    )


def _left(told: Story) -> Markup | None:
    """Name the files that earlier runs wrote of the recording under other names."""
    names = ", ".join(path.name for path in told.entry.earlier)
    return el("p", f"Earlier runs left {names}: remove what is not wanted any more.", class_="note") if names else None


def _trouble(told: Story) -> Markup | None:
    message = told.line.get("message") if told.level == "failed" else None
    said = str(message or told.drawn.trouble or "")
    if not said and told.level == "failed":
        said = {
            "Not finished": "The run ended before this recording was done: start it again, and it goes on from here.",
            "File is missing": "The file that was written is not there any more: convert the recording again.",
        }.get(told.status, "Nobody said why.")
    parts = [said.rstrip(".") + "."] if said else []
    if told.level == "failed" and told.entry.path is not None and not told.drawn.trouble:
        parts.append(f"What is shown here is the file of an earlier run, {told.entry.path.name}.")
    tries = amount(told.line.get("attempts"))
    if tries and tries > 1:
        parts.append(f"Tried {count(int(tries), 'time')}.")
    return el("p", " ".join(parts), class_="trouble") if parts else None


def _facts(told: Story) -> Markup | None:
    line, drawn = told.line, told.drawn
    stored = amount(line.get("file_bytes")) or drawn.file_bytes
    processed = bool(line.get("steps"))  # then the line speaks of what is new in the file
    new = amount(line.get("array_bytes")) or drawn.array_bytes
    values = drawn.array_bytes if processed and drawn.array_bytes else new
    pairs: list[tuple[str, Any, Any]] = []
    if stored:
        pairs.append(("File", size(stored), f"{size(values)} of values" if values else None))
    if stored and values:
        pairs.append(("Compression", f"{number(values / stored, 2)} : 1", "values to file"))
    pairs += _speed(line, new)
    if line.get("status") == "written":
        done = line.get("verified") is True
        proof = f"all {size(new)} of values read back, equal to {'what was computed' if processed else 'the source'}"
        proof = proof if done else "values were not read back"
        pairs.append(
            ("Fidelity", [icon("fine" if done else "warnings"), "Verified" if done else "Not verified"], proof)
        )
    facts = [
        el("div", el("dt", name), el("dd", value, el("span", more) if more else None)) for name, value, more in pairs
    ]
    return el("dl", facts, class_="facts") if facts else None


def _speed(line: Mapping[str, Any], values: float) -> list[tuple[str, Any, Any]]:
    seconds = line.get("seconds")
    if not isinstance(seconds, dict) or not (total := amount(seconds.get("total"))):
        return []
    steps = {str(step.get("name")): str(step.get("name")) for step in dicts(line.get("steps"))}
    words = {"describe": "read", "copy": "copy", **steps, **PHASES}
    laps = [f"{word} {number(lap, 2)}" for key, word in words.items() if (lap := amount(seconds.get(key))) is not None]
    speed = f"{number(values / total / 1e6)} MB/s" if values else f"{number(total)} s"
    return [("Speed", speed, f"{number(total)} s: {', '.join(laps)}" if laps else f"{number(total)} s")]


def _findings(told: Story) -> Markup | None:
    """Return errors and warnings, with what to do."""
    shown = [f for f in told.findings if f.get("severity") in ("error", "warning")]
    return el("ul", [_finding(finding) for finding in shown], class_="findings") if shown else None


def _finding(finding: Mapping[str, Any]) -> Markup:
    severity = str(finding.get("severity"))
    level = {"error": "errors", "warning": "warnings"}.get(severity, "hint")
    sign = icon(level) if level in ICONS else None
    place = el("span", f" {finding['where']}", class_="where") if finding.get("where") else None
    advice = el("p", str(finding["advice"]), class_="advice") if finding.get("advice") else None
    head = el("p", sign, el("b", severity.capitalize()), " ", str(finding.get("message") or ""), place)
    return el("li", head, advice, class_=level)


def _more(told: Story) -> Markup:
    """Return what is looked up rather than looked at."""
    return el(
        "div", _hints(told), _metadata(told), _tables(told), _contents(told), _origin(told), class_="more"
    )  # fmt: skip


def _folded(summary: str, *inside: Any) -> Markup:
    return el("details", el("summary", summary), *inside)


def _hints(told: Story) -> Markup | None:
    hints = [f for f in told.findings if f.get("severity") not in ("error", "warning")]
    if not hints:
        return None
    return _folded(f"Hints ({len(hints)})", el("ul", [_finding(f) for f in hints], class_="findings"))


def table(caption: str, head: list[str], rows: list[Markup]) -> Markup:
    """Return a table that scrolls by itself where it is wide."""
    top = el("thead", el("tr", [el("th", one, scope="col") for one in head]))
    inner = el("table", el("caption", caption), top, el("tbody", rows))
    return el("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _metadata(told: Story) -> Markup | None:
    """Return the metadata with where each value comes from."""
    listed = dicts(told.line.get("fields")) or list(told.drawn.fields)
    if not listed:
        return None
    alone = not told.line.get("fields")
    rows, unknown = [], 0
    for entry in listed:
        origin = str(entry.get("origin"))
        unknown += origin == "unknown"
        label = "in the file" if alone and origin == "source" else ORIGINS.get(origin, origin)
        value, note = entry.get("value"), entry.get("note")
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else "–" if value is None else str(value)
        pill = el("span", label, class_=f"origin {origin if origin in ORIGINS else 'unknown'}")
        note = None if alone and origin == "source" else note
        rows.append(el("tr", el("th", el("code", str(entry.get("key"))), scope="row"), el("td", shown),
                       el("td", pill, el("span", f" {note}", class_="small") if note else None)))  # fmt: skip
    more = f", {unknown} not known" if unknown else ""
    return _folded(f"Metadata ({len(rows)}{more})", table("Metadata and its origin", ["Key", "Value", "Origin"], rows))


def _tables(told: Story) -> Markup | None:
    if not told.drawn.tables:
        return None
    return _folded(f"Tables and settings ({told.drawn.tabled})", el("div", Markup(told.drawn.tables), class_="figures"))


def _contents(told: Story) -> Markup | None:
    listed = list(told.drawn.elements) if told.line.get("steps") else []  # the line speaks of what is new
    listed = listed or dicts(told.line.get("elements")) or list(told.drawn.elements)
    if not listed:
        return None
    rows = []
    for one in listed:
        held = amount(one.get("bytes"))
        cells = (str(one.get("type")), _shape(one), size(held) if held else "–")
        rows.append(el("tr", el("th", str(one.get("name")), scope="row"), [el("td", cell) for cell in cells]))
    return _folded(f"What is inside ({len(rows)})", table("Elements", ["Name", "Kind", "Size", "Bytes"], rows))


def _shape(one: Mapping[str, Any]) -> str:
    if isinstance(one.get("shape"), list | tuple):
        return f"{' × '.join(map(str, one['shape']))} {one.get('dtype', '')}"
    for key, thing in (("regions", "region"), ("rows", "row"), ("values", "value")):
        if isinstance(one.get(key), int):
            return count(one[key], thing)
    return count(len(one["images"]), "image") if isinstance(one.get("images"), dict) else "–"


def _origin(told: Story) -> Markup | None:
    """Return where the file comes from: its sources, programs, command and history."""
    facts, parts = told.drawn.facts, []
    pairs = [
        ("Made from" if told.line.get("steps") else "Converted from", told.line.get("path")),
        ("Command", facts.get("script")),
        ("NWB version", facts.get("nwb_version")),
    ]
    pairs += [("Made by", ", ".join(facts.get("made_by", ()))), ("Written on", ", ".join(facts.get("created", ())))]
    pairs += [("Identifier", facts.get("identifier")), ("Notes", facts.get("notes"))]
    rows = [el("tr", el("th", name, scope="row"), el("td", str(value))) for name, value in pairs if value]
    rows += [
        el("tr", el("th", f"Made later: {name}", scope="row"), el("td", text))
        for name, text in facts.get("modules", ())
    ]
    if rows:
        parts.append(table("Where the file comes from", ["What", "Value"], rows))
    if sources := facts.get("sources"):
        files = [el("tr", el("th", name, scope="row"), el("td", size(length)), el("td", el("code", digest)))
                 for name, length, digest in sources[:100]]  # fmt: skip
        parts.append(table("Files that were read", ["File", "Size", "SHA-256"], files))
        if len(sources) > 100:
            parts.append(
                el("p", f"{number(len(sources) - 100, 7)} more files are listed in the NWB file.", class_="small")
            )
    return _folded("Where it comes from", *parts) if parts else None
