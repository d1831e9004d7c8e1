"""The gate before DANDI: what its client says of files when it validates and when it uploads, and what it forgets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nwbridge.dandi import advice
from nwbridge.dandi.client import quiet, require
from nwbridge.dandi.names import label, layout_of
from nwbridge.errors import BadMetadata, BadOption, BadSource, MissingMetadata
from nwbridge.model import Finding, Session
from nwbridge.validation import validate

LONGEST_PATH = 512  # of the archive's database
LARGEST = 5 << 40  # bytes of an object in the archive's storage
SPECIES = "--set 'Subject.species=Mus musculus'"
_LEGAL = re.compile(r"[A-Za-z0-9()\[\],&#+~_=. /^-]")  # what the archive's server takes in a path
_ORDER = ("error", "warning", "hint")


def check(path: Path | str, root: Path | str | None = None, known: Sequence[Finding] | None = None) -> list[Finding]:
    """Return everything that keeps DANDI from taking a file, or that it would rather have otherwise, errors first.

    `root` is the dandiset's folder; unless given it is told from where the file lies. `known` is what `validate` said
    of this very file, if it was asked already. Nothing is asked of the network.
    """
    path = Path(path)
    root = _root_of(path) if root is None else Path(root)
    with quiet():
        try:
            if not path.stat().st_size:
                raise BadSource(f"{path.name} is empty: 0 bytes")
            inside = list(known) if known is not None else validate(path)
        except OSError as error:
            raise BadSource(f"{path} cannot be read: {error.strerror}") from error
        except BadSource as error:
            if not path.is_file():
                raise
            refused = advice.of_refusal(str(error))
            return [refused, *_place(path, root, None)]
        client = [] if known is not None else _validated(path, root, inside)
        found = [*inside, *client, *_place(path, root, expected(path)), *(_bids(path) or _uploaded(path))]
    return sorted(advice.merged(found), key=lambda finding: _ORDER.index(finding.severity))


def check_archive(archive: str | None) -> None:
    """Raise BadOption for an archive that nwbridge does not know, MissingDependency where its client is missing."""
    if archive not in (None, "dandi"):
        raise BadOption(f"--for {archive}: expected dandi")
    if archive is not None:
        require()


def check_session(session: Session) -> None:
    """Refuse what DANDI would refuse, before a file is written: MissingMetadata or BadMetadata."""
    with quiet():
        from dandi.metadata.util import FIELD_EXTRACTORS

        subject = session.subject
        if subject is None or not subject.species:
            raise MissingMetadata(
                f"the species is stated nowhere and DANDI requires it: give the Latin name, as in {SPECIES}"
            )
        label(subject.subject_id or session.id)
        label(session.id)
        for name in ("species", "age", "sex"):
            value = getattr(subject, name)
            try:
                FIELD_EXTRACTORS[name]({name: value})
            except Exception as error:
                wrong = advice.of_field(name, value, error, _species())
                raise BadMetadata(f"{wrong.message}: {wrong.advice}") from error


def _root_of(path: Path) -> Path:
    """Return the folder above that is a dandiset, or would be one if it had a dandiset.yaml."""
    path = path.absolute()
    for folder in path.parents:
        if (folder / "dandiset.yaml").is_file():
            return folder
    return path.parent.parent if path.parent.name.startswith("sub-") else path.parent


def _validated(path: Path, root: Path, known: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what the client's validation finds beyond `known`; where a file lies is said by `_place`."""
    from dandi.files import NWBAsset

    asset = NWBAsset(filepath=path, dandiset_path=root, path=_inside(path, root).as_posix())
    for result in asset.get_validation_errors():
        if not result.id.startswith("DANDI.") and (finding := advice.of_validation(result, known)) is not None:
            yield finding


def _inside(path: Path, root: Path) -> PurePosixPath:
    try:
        return PurePosixPath(path.absolute().relative_to(root.absolute()).as_posix())
    except ValueError:
        raise BadSource(f"{path} does not lie in {root}") from None


def expected(path: Path) -> PurePosixPath | None:
    """Return where the file should lie; None where it does not say whose it is."""
    try:
        return layout_of(path)
    except (BadMetadata, OSError, RuntimeError, ValueError, KeyError):  # damage is told by others
        return None


def _place(path: Path, root: Path, wanted: PurePosixPath | None) -> Iterator[Finding]:
    """Yield what DANDI has against the name and folder of a file."""
    from dandi.organize import validate_organized_path

    place = _inside(path, root)
    if wanted is not None:
        move = f"move it: mv {shlex.quote(str(place))} {wanted}, in the dandiset's folder"
    else:
        move = "name it sub-SUBJECT/sub-SUBJECT_ses-SESSION_MODALITY.nwb; nwbridge convert --for dandi does"
    if odd := sorted(set(re.sub(_LEGAL, "", place.as_posix()))):
        text = f"DANDI takes no {' '.join(odd)} in the name of a file or folder"
        yield Finding("error", text, move, check="dandi characters")
    if len(place.as_posix()) > LONGEST_PATH:
        text = f"the path has {len(place.as_posix())} characters; DANDI takes at most {LONGEST_PATH}"
        yield Finding("error", text, move, check="dandi length")
    if place.suffix != ".nwb":
        yield Finding("error", f"{place.name} ends in {place.suffix!r}; DANDI wants .nwb", move, check=advice.LAYOUT)
    if wrong := validate_organized_path(place.as_posix(), path, root):
        reasons = "; ".join(str(result.message) for result in wrong)
        text = f"DANDI wants it at {wanted}" if wanted else f"its place is none that DANDI takes: {reasons}"
        yield Finding("error", text, move, check=advice.LAYOUT)
    elif wanted is not None and place.parts[0] not in _folders(wanted, path):
        text = f"it lies in {place.parts[0]}, but its subject belongs in {wanted.parts[0]}"
        yield Finding("warning", text, move, check="dandi subject")
    if path.stat().st_size > LARGEST:
        text = "it is larger than 5 TiB, which DANDI's storage does not take"
        yield Finding("error", text, "convert it in parts", check="dandi size")


def _folders(wanted: PurePosixPath, path: Path) -> set[str]:
    """Return the folders that a subject may have: ours, and that of the client's `organize`."""
    import h5py
    from dandi.organize import _sanitize_value

    with h5py.File(path, "r") as file:
        subject = str(file["general/subject/subject_id"].asstr()[()])
    return {wanted.parts[0], f"sub-{_sanitize_value(subject, 'subject_id')}"}


def _bids(path: Path) -> list[Finding]:
    """Return a finding where the client would take the file for part of a BIDS data set, and check that at length."""
    for folder in path.absolute().parents:
        if (folder / "dataset_description.json").exists():
            text = (
                f"it lies in a BIDS data set ({folder.name}/dataset_description.json), which this gate does not check"
            )
            return [Finding("error", text, "use dandi validate and dandi upload", check="dandi BIDS")]
        if (folder / "dandiset.yaml").is_file():
            break
    return []


def _uploaded(path: Path) -> Iterator[Finding]:
    """Yield what keeps the client from making its record of a file, which it does only while it uploads."""
    from dandi.metadata.nwb import get_metadata, nwb2asset
    from dandi.misctypes import DUMMY_DANDI_ETAG
    from dandischema.models import BareAsset
    from pydantic import ValidationError

    metadata: dict[str, Any] = {}
    try:
        metadata = get_metadata(path) or {}
        BareAsset(**nwb2asset(path, digest=DUMMY_DANDI_ETAG).model_dump())
    except ValidationError as error:
        yield from (advice.of_model(dict(one)) for one in error.errors())
    except Exception as error:  # noqa: BLE001 the client raises anything
        unread = list(_unread(metadata))
        yield from unread
        if not unread:
            text = f"DANDI's client cannot make its record of the file: {error}"
            yield Finding("error", text, advice.UNKNOWN, check="dandi record")
    yield from _remarks(metadata)


def _unread(metadata: dict[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each value that the client cannot read: it stops at the first."""
    from dandi.metadata.util import FIELD_EXTRACTORS

    if not metadata:
        return
    found = False
    for name in sorted(FIELD_EXTRACTORS, key=lambda name: name.startswith("was")):  # those hold the others
        if found and name.startswith("was"):
            return
        try:
            FIELD_EXTRACTORS[name](metadata)
        except Exception as error:  # noqa: BLE001 as above
            found = True
            yield advice.of_field(name, metadata.get(name), error, _species())


def _species() -> list[str]:
    """Return the Latin names that the client knows."""
    from dandi.metadata.util import species_map

    return [getattr(record, "scientific_name", None) or record[-1].split(" - ")[0] for record in species_map]


def _remarks(metadata: dict[str, Any]) -> Iterator[Finding]:
    """Yield what the client takes, and a person may want to know before."""
    files = [str(name) for held in metadata.get("external_file_objects") or [] for name in held["external_files"]]
    if files:
        text = f"frames lie in other files ({', '.join(files[:3])}), which nwbridge does not upload"
        yield Finding("warning", text, "upload them with dandi organize and dandi upload", check="dandi external files")
    species = str(metadata.get("species") or "")
    if species.startswith("http") and not any(species.endswith(f"_{number}") for number in _numbers()):
        text = f"the client looks {species} up in the network when it uploads"
        yield Finding("hint", text, "nothing, if the address is right", "Subject.species", "dandi species address")


def _numbers() -> list[str]:
    from dandi.metadata.util import species_map

    return [getattr(record, "taxon_id", None) or str(record[-2]).rsplit("_", 1)[-1] for record in species_map]
