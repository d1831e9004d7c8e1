"""The lab's files: documents in YAML, TOML or JSON, and tables of sessions."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from nwbridge.errors import BadMetadata
from nwbridge.forms import Path as Path_
from nwbridge.metadata.given import check, merge
from nwbridge.metadata.keys import Metadata
from nwbridge.metadata.tables import load_table


def load(path: Path) -> Metadata:
    """Read what the lab knows and check it; BadMetadata says what is wrong in one line.

    A document is YAML, TOML or JSON; a table of sessions is CSV or TSV.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        return load_table(path)
    line: Callable[[Path_], str] = lambda path: ""  # noqa: E731 only YAML's nodes know their lines
    try:
        text = path.read_text("utf-8-sig")
        match path.suffix.lower():
            case ".toml":
                content = tomllib.loads(text)
            case ".json":
                content = json.loads(text, object_pairs_hook=_each_key_once)
            case ".yaml" | ".yml":
                content = yaml.load(text, _Yaml)  # noqa: S506 a SafeLoader
                line = functools.partial(_line, text)
            case other:
                raise BadMetadata(
                    f"{path.name} ends in {other or 'nothing'}; expected .yaml, .toml, .json, .csv or .tsv"
                )
    except FileNotFoundError:
        raise BadMetadata(f"the metadata file {path} does not exist") from None
    except OSError as error:
        raise BadMetadata(f"the metadata file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # each parser has errors of its own, all ValueErrors
        raise BadMetadata(f"{path.name} cannot be read: {_said(error)}") from error
    return check({} if content is None else content, path.name, line)


def _line(text: str, path: Path_) -> str:
    """Return the words for the line of a YAML file where a key stands, or the nearest above it that can be found."""
    node, number = yaml.compose(text, yaml.SafeLoader), 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if getattr(pair[0], "value", None) == step), None)
            place, node = pair or (None, None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            saying = [item for item in node.value if _says(item)]
            place = node = saying[step] if step < len(saying) else None
        else:
            break
        if place is None:
            break
        number = place.start_mark.line + 1
    return f" line {number}" if number else ""


def _says(node: yaml.Node) -> bool:
    """Whether anything stands in an entry of a list: a dash whose lines are all comments was left out."""
    if isinstance(node, yaml.MappingNode):
        return any(_says(value) for _, value in node.value)
    return bool(node.value) and node.tag != "tag:yaml.org,2002:null"


def _said(error: Exception) -> str:
    """Return what a parser found, and where, in one line."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    problem, line = error.problem, mark.line + 1  # type: ignore[attr-defined]
    if problem.startswith("expected <block end>"):
        return f"line {line}, or the one before, is indented by other spaces than its neighbours"
    return f"{problem} (line {line}, column {mark.column + 1})"


def load_all(paths: Iterable[Path]) -> Metadata:
    """Read several files and merge them, the later over the earlier; a table wins over every document."""
    content: Metadata = {}
    for path in sorted(paths, key=lambda path: path.suffix.lower() in (".csv", ".tsv")):
        content = merge(content, load(path))
    return content


class _Yaml(yaml.SafeLoader):
    """Leaves 0123 and 12:30 as they are written: YAML 1.1 means octal 83 and 750 minutes."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: YAML would forget the first. A key is text, also where it is no or 7.10."""
        _each_key_once([(str(getattr(key, "value", key)), None) for key, _ in node.value])
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise BadMetadata(f"the metadata file has the key {key} twice in one place; expected it once")
    return dict(pairs)


def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | str:
    text = str(loader.construct_scalar(node))
    return int(text) if re.fullmatch(r"[+-]?(0|[1-9]\d*)", text) else text


_Yaml.add_constructor("tag:yaml.org,2002:int", _whole_number)
