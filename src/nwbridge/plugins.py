"""The registry: loads each plugin in isolation, looks records up, finds the source of a path, names culprits."""

from __future__ import annotations

import difflib
import functools
import inspect
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from nwbridge.arrays.damaged import refuse_damaged
from nwbridge.errors import Ambiguous, BadOption, BadSource, NotRecognized, NwbridgeError, PluginFault
from nwbridge.hookspecs import API_VERSION, Check, Export, Hooks, Processor, Score, Source

GROUP = "nwbridge"
LOOKED_AT = 60  # files and folders below one that nobody recognizes
R = TypeVar("R")
_RECORDS: dict[str, type] = {
    "register_sources": Source,
    "register_processors": Processor,
    "register_checks": Check,
    "register_scores": Score,
    "register_exports": Export,
    "register_namespaces": Path,
}


@dataclass(frozen=True)
class Plugin:
    """One installed plugin, working or not."""

    name: str
    distribution: str
    version: str
    error: str | None = None  # why it is not used, one line
    sources: tuple[Source, ...] = ()
    processors: tuple[Processor, ...] = ()
    checks: tuple[Check, ...] = ()
    scores: tuple[Score, ...] = ()
    exports: tuple[Export, ...] = ()
    namespaces: tuple[Path, ...] = ()

    @property
    def records(self) -> tuple[Source | Processor | Check | Score | Export, ...]:
        """Everything that it registers under a name."""
        return (*self.sources, *self.processors, *self.checks, *self.scores, *self.exports)

    @property
    def label(self) -> str:
        """Name and version, as they stand on every failure."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Match:
    """A source that recognizes a path, its plugin, and the evidence in words."""

    source: Source
    plugin: Plugin
    evidence: str


@dataclass(frozen=True)
class Registry:
    """All installed plugins in the order of their names."""

    plugins: tuple[Plugin, ...] = field(default=())

    def sources(self) -> dict[str, tuple[Source, Plugin]]:
        """Return every usable source by name."""
        return {source.name: (source, plugin) for plugin in self.plugins for source in plugin.sources}

    def source(self, name: str) -> tuple[Source, Plugin]:
        """Return a source by name; BadOption lists what is installed."""
        return self._named("source", name, self.sources())

    def processor(self, name: str) -> tuple[Processor, Plugin]:
        """Return a processor by name; BadOption lists what is installed."""
        return self._named("step", name, {p.name: (p, plugin) for plugin in self.plugins for p in plugin.processors})

    def score(self, name: str) -> tuple[Score, Plugin]:
        """Return a score by name; BadOption lists what is installed."""
        return self._named("score", name, {s.name: (s, plugin) for plugin in self.plugins for s in plugin.scores})

    def export(self, name: str) -> tuple[Export, Plugin]:
        """Return an export by name; BadOption lists what is installed."""
        return self._named("export", name, {e.name: (e, plugin) for plugin in self.plugins for e in plugin.exports})

    def _named(self, kind: str, name: str, found: Mapping[str, tuple[R, Plugin]]) -> tuple[R, Plugin]:
        if name in found:
            return found[name]
        broken = [p for p in self.plugins if p.error and p.name == name]
        if broken:
            raise PluginFault(f"{broken[0].label} cannot be used: {broken[0].error}")
        near = difflib.get_close_matches(name, found, 1)
        hint = f"did you mean {near[0]}?" if near else f"installed: {', '.join(found) or 'none'}"
        raise BadOption(f"there is no {kind} {name}; {hint}")

    def detect(self, path: Path, name: str | None = None) -> Match:
        """Return the one source that recognizes `path`, or the one called `name`.

        Raises NotRecognized where none has evidence, Ambiguous where several have, BadSource for a damaged file.
        """
        if not os.path.exists(path):  # noqa: PTH110 that of Path raises for a name that is too long
            raise BadSource(f"{path} does not exist")
        if name is not None:
            source, plugin = self.source(name)
            return Match(source, plugin, _evidence(source, path) or "named by the user")
        matches = self.matches(path)
        if len(matches) == 1:
            return matches[0]
        if matches:
            claims = "; ".join(f"{m.source.name}: {m.evidence}" for m in matches)
            raise Ambiguous(f"{path} could be several kinds of recording ({claims}): choose with --source NAME")
        refuse_damaged(path)
        raise NotRecognized(f"no installed source recognizes {path}; {self._next_step(path)}")

    def matches(self, path: Path) -> list[Match]:
        """Return every source that has evidence for a path; a fallback only where no other has."""
        everything = list(self.sources().values())
        for fallback in (False, True):
            if found := [
                Match(source, plugin, evidence)
                for source, plugin in everything
                if source.fallback is fallback and (evidence := _evidence(source, path))
            ]:
                return found
        return []

    def _next_step(self, path: Path) -> str:
        broken = [plugin.name for plugin in self.plugins if plugin.error]
        names = ", ".join(self.sources())
        if not names and not broken:
            return "no plugin is installed"
        unused = f" (not used: {', '.join(broken)})" if broken else ""
        inside = (
            "give one recording inside it, or name its kind" if path.is_dir() else "if it is of one of them, say so"
        )
        known = f"installed: {names or 'none'}{unused}"
        return f"{known}. Look up what each reads with nwbridge plugins; {inside} with --source NAME"

    def below(self, folder: Path, most: int = LOOKED_AT) -> dict[str, list[Path]]:
        """Return recordings among the first files and folders below a folder, by source; none below another."""
        found: dict[str, list[Path]] = {}
        waiting = deque([folder])
        looked = 0
        while waiting and looked < most:
            for path in _entries(waiting.popleft()):
                looked += 1
                try:
                    found.setdefault(self.detect(path).source.name, []).append(path)
                except Ambiguous:
                    continue
                except (NwbridgeError, OSError):
                    if path.is_dir():
                        waiting.append(path)
                if looked >= most:
                    break
        return found


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, folders first, without what is hidden."""
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
        return sorted(paths, key=lambda path: (not path.is_dir(), path.name))
    except OSError:
        return []


def _evidence(source: Source, path: Path) -> str | None:
    try:
        evidence = source.detect(path)
    except (Exception, SystemExit):  # noqa: BLE001 a plugin that cannot look does not recognize
        return None
    return evidence or None


def call(plugin: Plugin, doing: str, function: Callable[..., R], *arguments: Any) -> R:
    """Call a plugin's function; anything but our own errors becomes a PluginFault that names the plugin."""
    try:
        return function(*arguments)
    except NwbridgeError:
        raise
    except IsADirectoryError as error:
        raise BadSource(f"{plugin.name} reads a file; {error.filename} is a folder") from error
    except OSError as error:
        raise BadSource(
            f"{error.strerror or error} while {doing}" + (f": {error.filename}" if error.filename else "")
        ) from error
    except (Exception, SystemExit) as error:
        raise PluginFault(
            f"{plugin.label} failed while {doing}: {_said(error)}; that is its fault: tell its authors"
        ) from error


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


@functools.cache
def installed() -> Registry:
    """Return the registry of the plugins installed in this environment."""
    return load(entry_points(group=GROUP))


def load(points: Iterable[EntryPoint]) -> Registry:
    """Load each entry point on its own; what fails is listed with its error and harms nothing else."""
    plugins: list[Plugin] = []
    owners: dict[tuple[str, str], str] = {}
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        plugin = _load_one(point)
        names = [(type(record).__name__, record.name) for record in plugin.records]
        taken = [name for name in names if name in owners or names.count(name) > 1]
        if taken:
            kind, name = taken[0]
            owner = owners.get(taken[0], f"another of its own {kind.lower()}s")
            error = f"the name {name} is already used by {owner}"
            plugin = Plugin(plugin.name, plugin.distribution, plugin.version, error)
        owners |= dict.fromkeys(names, plugin.label)
        plugins.append(plugin)
    return Registry(tuple(plugins))


def _load_one(point: EntryPoint) -> Plugin:
    distribution, version = point.value, "unknown"
    try:
        if point.dist:
            distribution, version = point.dist.name or point.value, point.dist.version or "unknown"
        module = point.load()
        asked = getattr(module, "NWBRIDGE_API", API_VERSION)
        if asked != API_VERSION:
            error = f"written for version {asked} of the plugin interface; this nwbridge offers {API_VERSION}"
            return Plugin(point.name, distribution, version, f"incompatible: {error}")
        records = _records(module, point.name)
    except KeyboardInterrupt:
        raise
    except NwbridgeError as error:
        return Plugin(point.name, distribution, version, str(error))
    except BaseException as error:  # noqa: BLE001 a plugin that calls sys.exit on import is broken too
        return Plugin(point.name, distribution, version, _said(error))
    return Plugin(point.name, distribution, version, None, *records)


def _records(module: Any, name: str) -> list[tuple[Any, ...]]:
    """Register one plugin with pluggy and collect what its hooks return."""
    manager = pluggy.PluginManager("nwbridge")
    manager.add_hookspecs(Hooks)
    _refuse_misspelt(module, getattr(module, "__name__", None) or type(module).__module__)
    manager.register(module, name)
    manager.check_pending()
    collected = []
    for hook, kind in _RECORDS.items():
        (answer,) = getattr(manager.hook, hook)() or ([],)
        if not isinstance(answer, list | tuple):
            raise PluginFault(f"{hook} returned a {type(answer).__name__}; expected a list of {kind.__name__}")
        for record in answer:
            if not isinstance(record, kind):
                raise PluginFault(f"{hook} returned a {type(record).__name__}; expected a list of {kind.__name__}")
            if isinstance(record, Path) and not record.is_file():
                raise PluginFault(f"{hook} returned {record}, which is not there: is it in the package's data?")
        collected.append(tuple(answer))
    if not any(collected):
        raise PluginFault(
            f"registers nothing: expected at least one of {', '.join(_RECORDS)} marked with @nwbridge.hookimpl"
        )
    return collected


def _refuse_misspelt(module: Any, package: str) -> None:
    """Report hooks that pluggy would pass over in silence, but not what is imported, as pynwb.register_class."""
    for name, member in inspect.getmembers(module, callable):
        marked = hasattr(member, "nwbridge_impl")
        own = str(getattr(member, "__module__", "")).split(".")[0] == package.split(".")[0]
        if (marked or (own and name.startswith("register_"))) and name not in _RECORDS:
            near = difflib.get_close_matches(name, _RECORDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"the hooks are {', '.join(_RECORDS)}"
            raise PluginFault(f"there is no hook {name}; {hint}")
        if name in _RECORDS and not marked:
            raise PluginFault(f"{name} is not marked with @nwbridge.hookimpl")
