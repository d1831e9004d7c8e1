"""What DANDI's client says of a file, in words that name the flag or key which mends it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nwbridge.model import Finding, Severity

LAYOUT = "dandi place"
UNKNOWN = "this is the client's own message: its documentation is at https://docs.dandiarchive.org"
REWRITE = "write the file anew: nwbridge convert FILE.nwb FOLDER --for dandi, or the program that it is from"


@dataclass(frozen=True)
class Field:
    """One value of a subject or session that the client reads, and what mends it."""

    words: str
    advice: str
    same_as: tuple[str, ...]  # checks of the NWB inspector that say it too


FIELDS = {
    "species": Field(
        "DANDI knows no species {value}",
        "give a Latin name that DANDI knows, as in --set 'Subject.species=Mus musculus', or the address of the species "
        "in the NCBI taxonomy, which ends in its number (house mouse: 10090; find yours by name at "
        "https://www.ncbi.nlm.nih.gov/taxonomy): --set Subject.species=http://purl.obolibrary.org/obo/NCBITaxon_10090",
        ("check_subject_species_form",),
    ),
    "age": Field(
        "DANDI cannot read the age {value}",
        "give an ISO 8601 duration, as in --set Subject.age=P90D, or a range, as in --set Subject.age=P60D/P90D",
        ("check_subject_age", "check_subject_proper_age_range"),
    ),
    "sex": Field("DANDI cannot read the sex {value}", "give --set Subject.sex=M, F, O or U", ("check_subject_sex",)),
    "strain": Field("DANDI cannot read the strain {value}", "give --set Subject.strain=NAME", ()),
    "wasAttributedTo": Field("DANDI cannot read the subject", "give --set Subject.subject_id=ID", ()),
    "wasGeneratedBy": Field(
        "DANDI cannot read the session",
        "give --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00 and --set NWBFile.session_id=ID",
        (),
    ),
    "relatedResource": Field(
        "DANDI cannot read the related publications", "give --set NWBFile.related_publications=doi:10.…", ()
    ),
}


def of_field(name: str, value: Any, error: Exception, known: Iterable[str] = ()) -> Finding:
    """Return the finding on a value that the client cannot read; `known` are the names that it knows."""
    field = FIELDS.get(name)
    if field is None:
        return Finding("error", f"DANDI's client cannot read {name}: {error}", UNKNOWN, check=f"dandi {name}")
    near = difflib.get_close_matches(str(value), list(known), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    reason = "" if name == "species" else f" ({error})"
    text = field.words.format(value=repr(value)) + hint + reason
    return Finding("error", text, field.advice, f"Subject.{name}" if "{" in field.words else "", f"dandi {name}")


def of_model(error: Mapping[str, Any]) -> Finding:
    """Return the finding on a value that does not fit DANDI's model of an asset."""
    place = [str(part) for part in error.get("loc", ())]
    name = next((part for part in reversed(place) if part in FIELDS), None)
    advice = FIELDS[name].advice if name else UNKNOWN
    text = f"DANDI's model of a file does not take {'.'.join(place) or 'it'}: {error.get('msg', '')}"
    return Finding("error", text, advice, check=f"dandi {name or 'model'}")


def of_validation(result: Any, known: Sequence[Finding]) -> Finding | None:
    """Return what a result of the client's validation says; None where `known` says it already."""
    kind, text = str(result.id), str(result.message or result.id)
    place = next(iter((result.within_asset_paths or {}).values()), "") or ""
    if kind.startswith("NWBI."):
        name = kind.removeprefix("NWBI.")
        if any(finding.check == f"inspector {name}" for finding in known):
            return None
        if any(finding.check == "inspector" and finding.severity == "error" for finding in known):
            return None  # the inspector stumbled, which the client repeats under a name of its own
        return Finding(_severity(result), text, f"see {name} in the NWB inspector's best practices", place, kind)
    if result.origin.validator == "pynwb":
        reason = " ".join(text.removeprefix("Failed to validate.").split())
        broken = [f for f in known if f.check.startswith("schema")]
        if any(reason in f.message for f in broken) or (result.origin.type == "internal" and broken):
            return None
        return Finding("error", reason, REWRITE, str(place), "dandi schema")
    if "nwb_version" in text:
        return Finding("error", f"the file states a version of NWB that DANDI refuses: {text}", REWRITE, check=kind)
    return Finding(_severity(result), text, UNKNOWN, str(place), f"dandi {kind}")


def _severity(result: Any) -> Severity:
    level = 40 if result.severity is None else int(result.severity)
    return "error" if level >= 40 else "warning" if level >= 30 else "hint"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without what the inspector says of a value that the client cannot even read."""
    findings = list(dict.fromkeys(findings))
    unread = {finding.check.removeprefix("dandi ") for finding in findings if finding.check.startswith("dandi ")}
    twice = {f"inspector {check}" for name in unread & FIELDS.keys() for check in FIELDS[name].same_as}
    return [finding for finding in findings if finding.check not in twice]


def of_refusal(text: str) -> Finding:
    """Return the finding on a file that is not even opened."""
    if re.search(r"link into another file|another file|virtual data set", text):
        return Finding("error", text, "DANDI takes no file that needs others: " + REWRITE, check="dandi external")
    return Finding("error", text, "convert the recording again, or copy the file again", check="dandi damaged")
