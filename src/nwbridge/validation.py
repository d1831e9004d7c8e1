"""Is a file valid NWB, and would an archive take it: every check there is, as one list of findings.

The schema that is installed, the schema that the file carries, the NWB inspector with DANDI's configuration, and
the checks of plugins. None of these looks at the numbers: that is done while a file is written.
"""

from __future__ import annotations

import functools
import os
import re
import threading
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import nwbinspector

from nwbridge.errors import BadSource, NwbridgeError, PluginFault
from nwbridge.hookspecs import Check
from nwbridge.model import Finding, Session, Severity
from nwbridge.nwb import backend, namespaces
from nwbridge.nwb.backend import Backend
from nwbridge.nwb.outside import outside
from nwbridge.nwb.schema import validators
from nwbridge.plugins import Plugin, Registry, call, installed

_SEVERITY: dict[str, Severity] = {
    "PYNWB_VALIDATION": "error",
    "CRITICAL": "error",
    "BEST_PRACTICE_VIOLATION": "warning",
    "BEST_PRACTICE_SUGGESTION": "hint",
}
_ONE_AT_A_TIME = threading.Lock()  # catching warnings changes the whole process
_DAMAGED = "the file is damaged: write it again"
_ORDER = ("error", "warning", "hint")
_ADVICE = {
    "check_subject_exists": "give the subject: --set Subject.subject_id=ID --set 'Subject.species=Mus musculus'",
    "check_subject_id_exists": "give --set Subject.subject_id=ID",
    "check_subject_species_exists": "DANDI requires the Latin name: --set 'Subject.species=Mus musculus'",
    "check_subject_species_form": "give the Latin name, as in --set 'Subject.species=Mus musculus'",
    "check_subject_sex": "give --set Subject.sex=M, F, O or U",
    "check_subject_age": "give an ISO 8601 duration, as in --set Subject.age=P90D",
    "check_subject_proper_age_range": "give a range such as --set Subject.age=P60D/P90D",
    "check_session_start_time_old_date": "if you know it: --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00",
    "check_experimenter_exists": "give --set 'NWBFile.experimenter=Last, First'",
    "check_experimenter_form": "write the name as 'Last, First'",
    "check_institution": "give --set NWBFile.institution=NAME",
    "check_keywords": "give --set NWBFile.keywords=WORD,WORD",
    "check_experiment_description": "give --set NWBFile.experiment_description=TEXT",
    "check_doi_publications": "write each publication as doi:10.…",
    "check_data_orientation": "nothing, if the recording is that short; else the file keeps its axes in another order",
    "check_imaging_plane_location_allen_ccf": "for mouse brain: --set Ophys.ImagingPlane.location=VISp; else nothing",
    "check_col_not_nan": "nothing, if nobody knows the values, such as a mask that is not distributed",
    "check_empty_table": "nothing, if there was nothing to find",
    "check_single_row": "nothing: there is just one",
    "check_description": "nothing, unless you know one: of a plane it is --set 'Ophys.ImagingPlane.description=TEXT'",
    "check_column_binary_capability": "nothing: these are numbers that happen to be two",
    "check_regular_timestamps": "nothing: the times are the source's own",
    "check_resolution": "nothing: no device states it",
    "check_subject_weight": "give the weight in kilograms: --set 'Subject.weight=0.025 kg'",
    "check_subject_id_no_slashes": "give an id without slashes: --set Subject.subject_id=ID",
    "check_session_id_no_slashes": "give an id without slashes: --set NWBFile.session_id=ID",
    "check_session_start_time_future_date": "correct it: --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00",
    "check_emission_lambda_in_nm": "give nanometres: --set Ophys.ImagingPlane.optical_channel.emission_lambda=525",
    "check_excitation_lambda_in_nm": "give nanometres: --set Ophys.ImagingPlane.excitation_lambda=920",
    "check_time_series_duration": "look at the rate or the timestamps: --set Ophys.TwoPhotonSeries.rate=HZ",
    "check_rate_is_not_zero": "give the frame rate: --set Ophys.TwoPhotonSeries.rate=HZ",
}
# the inspector's words where they would lead astray or fill a screen
_WORDS = {
    "check_data_orientation": (
        r".*Current shape: (\(.*?\)).*",
        r"NWB keeps time first, and it is usually longest; here another dimension is longer: \1.",
    ),
    "check_imaging_plane_location_allen_ccf": (
        r"(ImagingPlane location '.*?' is not a term) in the Allen Mouse Brain CCF ontology\..*",
        r"\1 of the Allen Mouse Brain Atlas, as VISp or Primary visual area.",
    ),
    "check_column_binary_capability": (
        r"Column '(.*?)' uses .*? but has binary values (.*?)\. Consider.*",
        r"Column '\1' has only the values \2; NWB would keep yes and no as booleans.",
    ),
}
_PRACTICES = "https://nwbinspector.readthedocs.io/en/dev/best_practices/best_practices_index.html"


def validate(path: Path | str, session: Session | None = None, registry: Registry | None = None) -> list[Finding]:
    """Return everything that is to be said about an NWB file, errors first.

    `session` is what the file was made from, if it was written just now: then the schema that it carries is the
    installed one, and one reading of the file serves schema and inspector. Raises BadSource where the file is no NWB
    file at all.
    """
    path = Path(path)
    registry = registry or installed()
    kind = backend.of(path)
    there = os.path.isfile if kind.form == "file" else os.path.isdir  # those of Path raise for names that are too long
    if not there(path):
        found = os.path.exists(path)  # noqa: PTH110
        raise BadSource(f"{path} is not a {kind.form}" if found else f"{path} does not exist")
    kind.check_safe(path)
    with kind.open(path) as file:
        if "nwb_version" not in file.attrs:
            raise BadSource(f"{path.name} is {kind.name} but not NWB: it states no NWB version")
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        findings = [
            *_namespaces(registry),
            *(_as_written(path) if session is not None else (*_schema(path), *_inspector(path))),
            *(outside(path) if kind.form == "file" else ()),
            *_plugin_checks(path, session, registry),
        ]
    findings += [
        Finding("warning", str(w.message), "look at the file with pynwb", check=w.category.__name__)
        for w in caught
        if issubclass(w.category, UserWarning)
    ]
    return sorted(dict.fromkeys(findings), key=lambda finding: _ORDER.index(finding.severity))


def schema_errors(findings: list[Finding]) -> list[Finding]:
    """Return the findings that break the NWB schema itself, rather than what an archive asks beyond it."""
    return [finding for finding in findings if finding.severity == "error" and finding.check.startswith("schema")]


def _namespaces(registry: Registry) -> Iterator[Finding]:
    """Make the plugins' extensions known; what cannot be loaded is said and harms no file that does not need it."""
    for plugin in registry.plugins:
        try:
            namespaces.load(plugin.namespaces)
        except PluginFault as error:
            yield Finding("warning", f"{plugin.label}: {error}", "tell the plugin's authors", check="namespaces")


def _schema(path: Path) -> Iterator[Finding]:
    """Validate against the installed schema, then the file's own: that one can be doctored, but names extensions."""
    told, kind = set(), backend.of(path)
    for check, cached in (("schema", False), ("schema in the file", True)):
        try:
            errors = [wrong for wrong in kind.schema_errors(path, own=cached) if kind.counts(wrong)]
        except Exception as error:  # noqa: BLE001 the validator stumbles over broken files in many ways
            text = _short(f"cannot be validated: {type(error).__name__}: {error}")
            yield Finding("error", text, _DAMAGED, check=check)
            continue
        for wrong in errors:
            finding = _wrong(wrong, check)
            if (finding.message, finding.where) not in told:
                told.add((finding.message, finding.where))
                yield finding


def _as_written(path: Path) -> Iterator[Finding]:
    """Validate a file of this very process against the installed schema, extensions included, and inspect it."""
    kind = backend.of(path)
    with kind.reader(path, manager=namespaces.manager(), load_namespaces=False) as io:
        with kind.open(path) as file:
            extensions = sorted(set(file["specifications"]) - namespaces.SHIPPED)
        whole = [name for name in extensions if "NWBFile" in _types_of(name)]
        if len(whole) < len(extensions):  # an extension that names only some types of core needs its own copy of them
            yield from _schema(path)
        for name in whole or ["core"]:
            for wrong in filter(kind.counts, validators(name).validate(io.read_builder())):
                yield _wrong(wrong, "schema")
        try:
            yield from _inspected_all(nwbinspector.inspect_nwbfile_object(io.read(), config=_config()), kind)
        except Exception as error:  # noqa: BLE001 the inspector stumbles over what its authors did not think of
            yield _uninspected(error)


def _types_of(namespace: str) -> Collection[str]:
    return namespaces.manager().namespace_catalog.get_namespace(name=namespace).get_registered_types()  # type: ignore[no-any-return]


@functools.cache
def _config() -> Any:
    return nwbinspector.load_config("dandi")


def _wrong(error: Any, check: str) -> Finding:
    advice = "this breaks NWB: report it to who wrote the file"
    return Finding("error", f"{error.name}: {error.reason}", advice, str(error.location or ""), check)


def _short(text: str) -> str:
    """Keep both ends of an error that prints whole objects: its kind and its reason."""
    return text if len(text) < 300 else f"{text[:80]} … {text[-180:]}"


def _inspector(path: Path) -> Iterator[Finding]:
    """Ask the NWB inspector, through its API: its command exits 0 even with critical findings."""
    try:
        yield from _inspected_all(
            nwbinspector.inspect_nwbfile(nwbfile_path=str(path), skip_validate=True, config=_config()),
            backend.of(path),
        )
    except Exception as error:  # noqa: BLE001 the inspector stumbles over files that pynwb cannot read
        yield _uninspected(error)


def _inspected_all(messages: Iterable[Any], kind: Backend) -> Iterator[Finding]:
    for message in messages:
        if message is not None and not any(name in (message.check_function_name or "") for name in kind.unchecked):
            yield _inspected(message)


def _uninspected(error: Exception) -> Finding:
    text = _short(f"cannot be inspected: {type(error).__name__}: {error}")
    return Finding("error", text, _DAMAGED, check="inspector")


def _inspected(message: Any) -> Finding:
    text = message.message.strip()
    if message.importance.name == "ERROR":  # a traceback, which ends with the error
        return Finding("error", _short(text.rsplit("\n", 1)[-1]), _DAMAGED, check="inspector")
    name = message.check_function_name or ""
    own = message.object_name if message.object_name not in ("root", message.object_type) else ""
    place = message.location if message.location not in (None, "", "/") else own
    where = " ".join(filter(None, (message.object_type, place)))
    if name in _WORDS:
        text = re.sub(_WORDS[name][0], _WORDS[name][1], " ".join(text.split()))
    advice = _ADVICE.get(name, f"mend it in the file, or tell who wrote it: {_PRACTICES} explains {name}")
    return Finding(_SEVERITY[message.importance.name], text, advice, where, f"inspector {name}".strip())


def _plugin_checks(path: Path, session: Session | None, registry: Registry) -> Iterator[Finding]:
    made_by = _made_by(path)
    sources = {name for name, (_, plugin) in registry.sources().items() if plugin.distribution in made_by}
    for plugin in registry.plugins:
        for check in plugin.checks:
            if not check.applies_to or sources.intersection(check.applies_to):
                yield from _run(check, plugin, session, path)


def _run(check: Check, plugin: Plugin, session: Session | None, path: Path) -> list[Finding]:
    """A check that fails is a finding, and the rest go on."""
    try:
        findings = call(plugin, f"checking {path.name}", check.run, session, path)
        if isinstance(findings, list) and all(isinstance(finding, Finding) for finding in findings):
            return findings
        wrong = f"{plugin.label}: check {check.name} returned {findings!r:.60}; expected a list of Finding"
    except NwbridgeError as error:
        wrong = str(error)
    return [Finding("warning", wrong, "tell the plugin's authors", check=check.name)]


def _made_by(path: Path) -> set[str]:
    """Return the names of the software that a file says made it."""
    kind = backend.of(path)
    with kind.open(path) as file:
        pairs = file.get("general/was_generated_by")
        found = kind.values(pairs) if kind.is_dataset(pairs) else None
        if found is None or found.ndim != 2 or found.dtype.kind != "O":  # text
            return set()
        return {str(name) for name in found[:, :1].ravel()}
