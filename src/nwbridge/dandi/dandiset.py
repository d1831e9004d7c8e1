"""dandiset.yaml: what tells DANDI's client which dandiset a folder is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from nwbridge.dandi.client import quiet
from nwbridge.errors import BadOption, BadSource, CannotWrite
from nwbridge.model import Finding

NAME = "dandiset.yaml"
_IDENTIFIER = re.compile(r"(?:DANDI:|https?://\S+/dandisets?/)?([0-9]{6})(?:/\S*)?", re.IGNORECASE)
_ADVICE = "correct it, or remove it: nwbridge dandi init writes a new one"


def identifier(text: str) -> str:
    """Return the six digits of a dandiset, from them, from ``DANDI:000123`` or from its page's address."""
    if found := _IDENTIFIER.fullmatch(text.strip()):
        return found[1]
    raise BadOption(f"--dandiset {text}: expected six digits, as in 000123; a dandiset is made on DANDI's website")


def identifier_in(folder: Path) -> str | None:
    """Return the dandiset that a folder's dandiset.yaml names; None without one."""
    if not (folder / NAME).is_file():
        return None
    content = _load(folder / NAME)
    if not isinstance(content, dict) or not _IDENTIFIER.fullmatch(str(content.get("identifier", "")).strip()):
        raise BadSource(f"{folder / NAME} names no dandiset; expected a line such as identifier: DANDI:000123")
    return identifier(str(content["identifier"]))


def write(folder: Path, dandiset: str, name: str | None = None, description: str | None = None) -> Path:
    """Write a folder's dandiset.yaml, unless it has one of the same dandiset; the rest is edited on the website."""
    number, path = identifier(dandiset), folder / NAME
    if (known := identifier_in(folder)) is not None:
        if known != number:
            raise CannotWrite(f"{path} is of dandiset {known}, not {number}: remove it, or choose another folder")
        return path
    content = {
        "identifier": f"DANDI:{number}",
        "name": name or f"Dandiset {number}",
        "description": description or "Its description is edited on DANDI.",
    }
    try:
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}") from error
    return path


def check(path: Path) -> list[Finding]:
    """Return what the client has against a dandiset.yaml."""
    try:
        if not isinstance(_load(path), dict):
            raise BadSource(f"{path.name} holds no keys; expected identifier, name and description")
    except BadSource as error:
        return [Finding("error", str(error), _ADVICE, path.name, "dandi dandiset.yaml")]
    with quiet():
        from dandi.files import DandisetMetadataFile

        try:
            wrong = [
                (str(result.message), "warning" if int(result.severity or 40) < 40 else "error")
                for result in DandisetMetadataFile(path, path.parent).get_validation_errors()
            ]
        except Exception as error:  # noqa: BLE001 it raises for versions of its schema that it does not know
            wrong = [(str(error), "warning")]
    return [Finding(severity, text, _ADVICE, path.name, "dandi dandiset.yaml") for text, severity in wrong]  # type: ignore[arg-type]


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadSource(f"{path.name} cannot be read: {error}") from error
