"""From a folder that passes the gate to the draft of a dandiset, by DANDI's own client."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from unittest.mock import patch

from nwbridge.dandi import dandiset as dandisets
from nwbridge.dandi.client import quiet
from nwbridge.dandi.folder import Findings, Progress, check_folder, passes
from nwbridge.dandi.table import Table
from nwbridge.errors import BadOption, BadSource, CannotWrite

Existing = Literal["refresh", "skip", "overwrite", "force", "error"]
OTHER = "custom-dandi"  # what the client calls an instance that it does not know; its key is CUSTOM_DANDI_API_KEY
_AGAIN = "what is there stays: give the same command again to go on"


@dataclass(frozen=True)
class Uploaded:
    """What an upload did."""

    url: str  # of the draft
    dandiset: str
    uploaded: tuple[str, ...]
    skipped: tuple[str, ...]  # are there already
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Instance:
    """An archive of DANDI's kind."""

    known: Any  # the client's record
    key: str

    @property
    def api(self) -> str:
        """The address that programs use."""
        return str(self.known.api).rstrip("/")


def upload(
    folder: Path | str,
    dandiset: str | None = None,
    *,
    instance: str = "dandi",
    existing: Existing = "refresh",
    jobs: int = 5,
    found: Findings | None = None,
    progress: Progress | None = None,
) -> Uploaded:
    """Upload the NWB files of a folder to a dandiset's draft, if all of them pass the gate.

    Args:
        folder: the dandiset's folder, which is left as it is.
        dandiset: its six digits, unless the folder's dandiset.yaml names them.
        instance: name or address of the archive: ``dandi``, ``dandi-sandbox``, ….
        existing: what becomes of a file that is there already: ``refresh`` (replace it where this one differs and is
            newer), ``skip``, ``overwrite`` (where it differs), ``force`` or ``error``.
        jobs: files at a time.
        found: what `check_folder` said of the folder, if it was asked already.
        progress: called as ``progress(phase, bytes_done, bytes_in_all)``.

    Raises:
        NwbridgeError: one of its kinds; nothing was uploaded, unless the message says so.
    """
    folder = Path(folder)
    number = prepared(folder, dandiset, instance=instance, existing=existing, jobs=jobs)
    found = check_folder(folder, progress) if found is None else found
    if not passes(found):
        wrong = [place for place, findings in found.items() if any(f.severity == "error" for f in findings)]
        raise BadSource(
            f"{len(wrong)} of {folder} would be refused by DANDI ({', '.join(wrong[:3])}{', …' if wrong[3:] else ''}): "
            f"nothing was uploaded; see nwbridge dandi check {folder}"
        )
    places = sorted(place for place in found if place.endswith(".nwb"))
    with quiet(offline=False) as told:
        where = _resolved(instance)
        gui = _check_dandiset(where, number)
        with _staged(folder, places, number) as root:
            sizes = {place: (folder / place).stat().st_size for place in places}
            table = Table(sizes, progress)
            _upload(root, where, existing, jobs, table, told)
    url = f"{gui}/dandiset/{number}/draft" if gui else f"{where.api}/dandisets/{number}/versions/draft/"
    done = sum(sizes[place] for place in table.done)
    return Uploaded(url, number, tuple(sorted(table.done)), tuple(sorted(table.skipped)), done)


def prepared(folder: Path, dandiset: str | None, *, instance: str, existing: str, jobs: int) -> str:
    """Return the dandiset's number, or refuse what cannot work, before any file is looked at."""
    if existing not in get_args(Existing):
        raise BadOption(f"--existing {existing}: expected one of {', '.join(get_args(Existing))}")
    if jobs < 1:
        raise BadOption(f"--jobs {jobs}: expected at least 1")
    number = _number(folder, dandiset)
    secret(instance)
    return number


def _number(folder: Path, dandiset: str | None) -> str:
    known = dandisets.identifier_in(folder)
    if dandiset is None:
        if known is None:
            raise BadOption("--dandiset is missing: give the six digits of the dandiset, as in --dandiset 000123")
        return known
    number = dandisets.identifier(dandiset)
    if known not in (None, number):
        raise BadOption(f"--dandiset {number}: {folder / dandisets.NAME} is of dandiset {known}; expected the same")
    return number


def secret(instance: str) -> str:
    """Return the key to an archive: from its environment variable, or as the client keeps it; nothing is asked."""
    name = _name(instance)
    if key := os.environ.get(_variable(name)):
        return key
    if sys.stdin is not None and sys.stdin.isatty():  # a key ring may have to ask for its own password
        try:
            import keyring

            if key := keyring.get_password(f"dandi-api-{name}", "key"):
                return str(key)
        except Exception:  # noqa: BLE001, S110 there is none, or it is locked
            pass
    raise BadOption(
        f"there is no key to {instance}: log in on its website, copy the API key from the menu with your initials, and "
        f"say export {_variable(name)}=KEY"
    )


def _variable(name: str) -> str:
    """Return the environment variable that holds the key to an archive of that name."""
    return f"{name.upper().replace('-', '_')}_API_KEY"


def _name(instance: str) -> str:
    """Return the client's name of an archive; each has a key of its own, which no other is to see."""
    with quiet():
        from dandi.consts import known_instances, known_instances_rev

        if instance in known_instances:
            return instance
        if instance.lower().startswith(("http://", "https://")):
            return str(known_instances_rev.get(instance.rstrip("/"), OTHER))
        raise BadOption(f"--instance {instance}: expected an address or one of {', '.join(known_instances)}")


def _resolved(instance: str) -> Instance:
    """Ask an archive who it is, once: the client would go on for a minute where none answers."""
    import requests
    from dandi.consts import DandiInstance
    from dandi.utils import get_instance

    name, key = _name(instance), secret(instance)
    try:
        known = get_instance(instance)
        requests.get(f"{known.api.rstrip('/')}/info/", timeout=30).raise_for_status()
    except Exception as error:
        reason = _reason(error, key)
        raise CannotWrite(f"{instance} does not answer as an archive of DANDI: {reason}; is the network up?") from error
    return Instance(DandiInstance(name=name, gui=known.gui, api=known.api), key)


def _check_dandiset(where: Instance, number: str) -> str | None:
    """Refuse a key or dandiset that the archive does not know; return the address of its website."""
    import requests
    from dandi.dandiapi import DandiAPIClient
    from dandi.exceptions import NotFoundError

    try:
        with DandiAPIClient.for_dandi_instance(where.known) as client:
            client.check_schema_version()
            client.authenticate(where.key)
            client.get_dandiset(number, "draft", lazy=False)
    except NotFoundError as error:
        raise BadOption(f"--dandiset {number}: {where.api} has none of that number, or it is not yours") from error
    except requests.HTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            variable = _variable(where.known.name)
            text = f"{where.api} does not accept the key in {variable}: copy the present one from its website"
            raise BadOption(text) from error
        raise CannotWrite(f"{where.api} failed: {_reason(error, where.key)}; try again later") from error
    except Exception as error:
        raise CannotWrite(f"{where.api} cannot be used: {_reason(error, where.key)}") from error
    return str(where.known.gui).rstrip("/") if where.known.gui else None


@contextmanager
def _staged(folder: Path, places: Iterable[str], number: str) -> Iterator[Path]:
    """Yield a folder of links to the files beside a dandiset.yaml: the client wants one, and takes all it finds."""
    with tempfile.TemporaryDirectory(prefix="nwbridge-dandi-") as name:
        root = Path(name).resolve()
        dandisets.write(root, number)
        try:
            for place in places:
                link = root / place
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to((folder / place).resolve())
        except OSError as error:
            raise CannotWrite(f"no links can be made in {root}: {error.strerror}") from error
        yield root


def _upload(root: Path, where: Instance, existing: str, jobs: int, table: Table, told: list[str]) -> None:
    """Run the client's upload with our table in place of the one that it draws on the terminal."""
    import dandi.upload as theirs

    table.workers = jobs
    try:
        with (
            patch.dict(os.environ, {_variable(where.known.name): where.key}),
            patch.object(theirs.pyouts, "LogSafeTabular", lambda *_, **__: table),
        ):
            theirs.upload(
                paths=[root],
                existing=theirs.UploadExisting(existing),
                validation=theirs.UploadValidation.SKIP,  # the gate did
                dandi_instance=where.known,
                jobs=jobs,
            )
    except Exception as error:
        place, reason = next(iter(table.failed.items()), ("", error))
        count = (
            f"{len(table.failed)} of {len(table.sizes)} files did not arrive, first {place}" if place else "it failed"
        )
        raise CannotWrite(f"{count}: {_reason(reason, where.key)}; {_AGAIN}") from error
    missing = sorted(set(table.sizes) - table.done - table.skipped)
    if missing:
        raise CannotWrite(f"the client left out {', '.join(missing[:3])} ({'; '.join(told[-2:])}); {_AGAIN}")


def _reason(error: object, key: str) -> str:
    """Return an error in one short line, in which the key never is."""
    import requests

    text = " ".join(str(error).replace(key, "…").split()) or type(error).__name__
    if isinstance(error, requests.ConnectionError) or "Max retries exceeded" in text or "Connection aborted" in text:
        return "the connection failed"
    return text if len(text) < 300 else f"{text[:300]}…"
