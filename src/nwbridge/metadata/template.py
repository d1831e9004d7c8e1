"""A metadata file to fill in: what the sources say with its origin, what is missing with why and an example.

Every line that could say something begins with ``#``, so the file says nothing until somebody edits it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from nwbridge.errors import BadMetadata
from nwbridge.forms import used
from nwbridge.metadata.given import check, form_of
from nwbridge.metadata.keys import SUBJECT
from nwbridge.metadata.origins import Field, fields
from nwbridge.model import Session

REQUIRED = {
    "Subject.species": "the Latin name; a file without it is refused",
}
ASKED = {  # DANDI wants them, and takes what is written where nobody says them
    "NWBFile.session_start_time": "when the recording began, with the time zone; until you say, a placeholder in 1900",
    "Subject.subject_id": "the animal's name; until you say, the session's id",
    "Subject.sex": "M, F, O (other) or U; until you say, U (unknown)",
    "Subject.age": "at the recording, as an ISO 8601 duration; until you say, 'at least 0 days'; or give date_of_birth",
}
_NEEDED = {
    "Ophys.TwoPhotonSeries.rate": "frames a second; a movie has no time axis without it",
    "Ophys.OnePhotonSeries.rate": "frames a second; a movie has no time axis without it",
}
_RECOMMENDED = {
    "NWBFile.experimenter": "as 'Last, First'",
    "NWBFile.institution": "where it was recorded",
    "NWBFile.lab": "whose it is",
    "NWBFile.experiment_description": "what the experiment is about",
    "NWBFile.keywords": "what people may search for",
    "NWBFile.related_publications": "as a DOI",
    "Ophys.ImagingPlane.indicator": "until you say, 'unknown'",
    "Ophys.ImagingPlane.location": "the brain area, for mice by the Allen CCF's name; until you say, 'unknown'",
    "Ophys.ImagingPlane.excitation_lambda": "nm; until you say, NaN",
    "Ophys.ImagingPlane.optical_channel.emission_lambda": "nm; until you say, NaN",
}
EXAMPLES: dict[str, Any] = {
    "session_id": "2020-01-31-a",
    "session_description": "The mouse watched drifting gratings.",
    "session_start_time": "2020-01-31T12:00:00+01:00",
    "experimenter": ["Doe, Jane"],
    "lab": "Doe Lab",
    "institution": "Example University",
    "experiment_description": "How neurons of the visual cortex respond to gratings.",
    "keywords": ["two-photon", "visual cortex"],
    "related_publications": ["doi:10.1000/example"],
    "data_collection": "imaged by resonant scanning",
    "notes": "the mouse slept from minute 10 on",
    "pharmacology": "isoflurane, 1 %",
    "protocol": "animal protocol 1234",
    "slices": "coronal, 300 micrometres",
    "stimulus_notes": "gratings on a monitor 20 cm away",
    "surgery": "cranial window, two weeks before",
    "virus": "AAV1-Syn-GCaMP6s, 200 nl",
    "subject_id": "mouse-7",
    "species": "Mus musculus",
    "sex": "F",
    "age": "P90D",
    "age_reference": "birth",
    "date_of_birth": "2019-11-02T00:00:00+01:00",
    "description": "from the lab's own colony",
    "genotype": "Emx1-IRES-Cre/wt",
    "strain": "C57BL/6J",
    "weight": "0.025 kg",
    "indicator": "GCaMP6s",
    "location": "VISp",
    "excitation_lambda": 920,
    "emission_lambda": 525,
    "rate": 30,
    "imaging_rate": 30,
    "grid_spacing": [0.8, 0.8],
}
COLUMNS = {
    "subject": "Subject.subject_id",
    "session": "NWBFile.session_id",
    "start_time": "NWBFile.session_start_time",
    "species": "Subject.species",
    "sex": "Subject.sex",
    "age": "Subject.age",
}
_OWN = ("NWBFile.session_id", "NWBFile.session_description", "NWBFile.session_start_time", "Subject.subject_id")


@dataclass(frozen=True)
class Found:
    """A recording and what its source says."""

    path: str  # as the metadata are to name it; with ::NAME where a path holds several
    source: str
    session: Session

    @property
    def fields(self) -> list[Field]:
        """Every value with its origin."""
        return fields(self.session, {})


def one(found: Found) -> str:
    """Return the template for one recording."""
    said = {field.key: field for field in found.fields}
    head = [
        f"What is known of {found.path}, which the source {found.source} reads.",
        "A line that begins with # says nothing: what the source says holds. Take the # away to say what stands there.",
    ]
    lines = [*_prose(head)]
    for group in ("NWBFile", "Subject"):
        lines += [f"{group}:", *_group(group, [said], "  ")]
    return "\n".join([*lines, *_ophys([found])]) + "\n"


def many(found: Sequence[Found], failed: Mapping[str, str]) -> str:
    """Return the template for a folder of recordings; `failed` are those that could not be read, with why."""
    count = len(found)
    head = [
        f"What is known of {count} recording{'' if count == 1 else 's'}.",
        "A line that begins with # says nothing: what the sources say holds. Take the # away to say what stands there.",
        "What stands under NWBFile, Subject and Ophys is said of all; Subjects of an animal; Sessions of a recording.",
        "The later wins. docs/metadata.md says more, also of a table (--table) and of names read from paths (Pattern).",
    ]
    said = [{field.key: field for field in one.fields} for one in found]
    lines = [*_prose(head)]
    for group in ("NWBFile", "Subject"):
        lines += [f"{group}:", *_group(group, said, "  ", without=_OWN)]
    lines += [*_ophys(found), *_subjects(found)]
    lines += [*_prose(["Names can be read from paths, as in", '  Pattern: "{subject_id}/{session_id}"']), "Sessions:"]
    for recording, known in zip(found, said, strict=True):
        lines += [f"  - path: {_yaml(recording.path)}  # {recording.source}", "    NWBFile:"]
        lines += _keys(("session_id", "session_description", "session_start_time"), "NWBFile", [known], "      ")
        lines += ["    Subject:", *_keys(("subject_id",), "Subject", [known], "      ")]
    lines += _prose([f"could not be read, {path}, {why}" for path, why in failed.items()])
    return "\n".join(lines) + "\n"


def table(found: Sequence[Found]) -> str:
    """Return the skeleton of a table of sessions, with a row for each recording and what its source says.

    A column for what nwbridge itself needs, as the rate of movies, is there where some recording lacks it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lacking = {field.key for recording in found for field in recording.fields if field.origin == "unknown"}
    columns = COLUMNS | {key: key for key in _NEEDED if key in lacking}
    writer.writerow(["path", *columns])
    for recording in found:
        said: dict[str, list[Any]] = {}
        for field in recording.fields:
            said.setdefault(field.key, []).append(field.value)
        writer.writerow([recording.path, *(_cell(key, said.get(key, [])) for key in columns.values())])
    return text.getvalue()


def _cell(key: str, values: Sequence[Any]) -> str:
    """Return a value as a cell; nothing where movies differ in it, or where it would be refused when it comes back."""
    value = values[0] if values else None
    if value is None or any(other != value for other in values):
        return ""
    if key in _NEEDED:
        return repr(float(value))
    group, name = key.split(".")
    try:
        return str(check({group: {name: value}})[group][name])
    except BadMetadata:
        return ""


def _subjects(found: Sequence[Found]) -> Iterator[str]:
    yield from _prose(["An animal's key is its subject_id: where you give another below, rename the key here as well."])
    yield "Subjects:"
    for name in dict.fromkeys((r.session.subject and r.session.subject.subject_id) or r.session.id for r in found):
        yield from (
            f"  {_yaml(name)}:",
            *(f"    # {key}: {_yaml(EXAMPLES[key])}" for key in ("sex", "age", "genotype")),
        )


def _prose(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines that are for people only."""
    return (f"#  {' '.join(line.split()) if not line.startswith(' ') else line}" for line in lines)


def _group(group: str, said: Sequence[Mapping[str, Field]], indent: str, without: Sequence[str] = ()) -> Iterator[str]:
    """Yield a line for every key of NWBFile or Subject: what is known and what matters first."""
    keys = [key for key in used(form_of(group)) if key not in SUBJECT and f"{group}.{key}" not in without]

    def rank(key: str) -> int:
        full = f"{group}.{key}"
        stated = any(known.get(full) and known[full].origin == "source" for known in said)
        return 0 if stated else 1 if full in REQUIRED | ASKED else 2 if full in _RECOMMENDED else 3

    yield from _keys(sorted(keys, key=rank), group, said, indent)


def _keys(keys: Sequence[str], group: str, said: Sequence[Mapping[str, Field]], indent: str) -> Iterator[str]:
    for key in keys:
        full = f"{group}.{key}"
        stated = [known[full] for known in said if full in known and known[full].origin == "source"]
        values = [field.value for field in stated]
        if stated and len(stated) == len(said) and all(value == values[0] for value in values):
            yield f"{indent}# {key}: {_yaml(values[0])}  # {_origin(stated[0])}"
            continue
        if len(said) > 1 and stated:
            yield f"{indent}#  {len(stated)} of {len(said)} sources say it; what you say wins over theirs"
        yield from _why(full, indent)
        yield f"{indent}# {key}: {_yaml(EXAMPLES.get(key, '…'))}"


def _why(full: str, indent: str) -> Iterator[str]:
    for words, keys in (
        ("required by DANDI", REQUIRED),
        ("asked for by DANDI, which accepts the placeholder", ASKED),
        ("required by nwbridge", _NEEDED),
        ("recommended", _RECOMMENDED),
    ):
        if full in keys:
            example = EXAMPLES[full.rsplit(".", 1)[1]]
            example = ", ".join(example) if isinstance(example, list) else example
            yield f"{indent}#  {words}: {keys[full]}; e.g. {example}"


def _ophys(found: Sequence[Found]) -> Iterator[str]:
    """Yield entries of Ophys, one of each kind that recordings have; it speaks of all of them."""
    kinds: dict[str, dict[str, list[Field]]] = {}
    for recording in found:
        for field in recording.fields:
            if field.key.startswith("Ophys."):
                _, kind, key = field.key.split(".", 2)
                kinds.setdefault(kind, {}).setdefault(key, []).append(field)
    if kinds:
        yield "Ophys:"
    for kind, keys in kinds.items():
        yield from (f"  {kind}:", "    -")
        nested = [key for key in keys if "." in key]
        for key in keys:
            if key not in nested:
                yield from _ophys_line(key, kind, keys[key], "      ")
        if nested:
            yield from ("      optical_channel:", "        -")
        for key in nested:
            yield from _ophys_line(key, kind, keys[key], "          ")


def _ophys_line(key: str, kind: str, said: Sequence[Field], indent: str) -> Iterator[str]:
    full, name = f"Ophys.{kind}.{key}", key.rsplit(".", 1)[-1]
    stated = [field for field in said if field.origin == "source"]
    values = [field.value for field in stated]
    if stated and len(stated) == len(said) and all(value == values[0] for value in values):
        yield f"{indent}# {name}: {_yaml(values[0])}  # {_origin(stated[0])}"
        return
    if stated:
        yield f"{indent}#  some sources say it; what you say wins over theirs"
    yield from _why(full, indent)
    yield f"{indent}# {name}: {_yaml(EXAMPLES.get(name, values[0] if values else '…'))}"


def _origin(field: Field) -> str:
    note = " ".join(field.note.split())
    return f"from the source, {note}" if note else "from the source"


def _yaml(value: Any) -> str:
    """Return a value as it stands in one line of YAML."""
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    value = list(value) if isinstance(value, tuple) else value
    if isinstance(value, str) and ("\n" in value or not value.isprintable()):
        return json.dumps(value, ensure_ascii=True)
    text: str = yaml.safe_dump([value], default_flow_style=True, width=1 << 30, allow_unicode=True)
    return text.strip()[1:-1]
