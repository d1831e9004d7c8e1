"""Files written for NeuroConv: its other spellings of what we have, and its keys that we have no use for.

Its newer files keep devices, planes and series in dictionaries and refer to their keys; the older have lists of names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.forms import near
from nwbridge.metadata.keys import Metadata
from nwbridge.model import Finding

# what NeuroConv writes where nobody says anything
_PLACEHOLDERS = {
    "indicator": ("unknown",),
    "location": ("unknown",),
    "unit": ("n.a.",),
    "session_description": ("", "no description"),
    "excitation_lambda": ("nan",),
    "emission_lambda": ("nan",),
}
_MICROMETRES = ("micrometers", "micrometres", "microns", "um", "µm")


def adapt(content: Any, where: str) -> Any:
    """Return the content in our spelling; what is in none of NeuroConv's stays for the schema to judge."""
    if not isinstance(content, Mapping):
        return content
    made = dict(content)
    used: set[str] = set()
    _adapt_groups(made, content, used, where)
    if isinstance(entries := made.get("Sessions"), list):
        made["Sessions"] = [dict(entry) if isinstance(entry, Mapping) else entry for entry in entries]
        for entry in made["Sessions"]:
            if isinstance(entry, dict):
                _adapt_groups(entry, content, used, where)
    if used and isinstance(devices := made.get("Devices"), Mapping):
        made["Devices"] = {key: value for key, value in devices.items() if key not in used}
    return {key: value for key, value in made.items() if value or key not in ("Devices", "DeviceModels")}


def unused(content: Metadata, form: Mapping[str, Any], resolve: Any) -> list[Finding]:
    """Return one hint that names every key of NeuroConv's that we have no use for."""
    keys = list(dict.fromkeys(_unused(content, form, resolve, "")))
    if not keys:
        return []
    message = f"not used from the metadata: {', '.join(keys)}"
    advice = "nwbridge names these parts of the file itself, or takes them from the source"
    return [Finding("hint", message, advice, check="metadata")]


def _unused(value: Any, form: Mapping[str, Any], resolve: Any, key: str) -> Iterator[str]:
    form = resolve(form)
    if form.get("unused"):
        yield key
    elif isinstance(value, list):
        for item in value:
            yield from _unused(item, form.get("items", {}), resolve, key)
    elif isinstance(value, Mapping) and (known := form.get("properties")):
        for name, inner in value.items():
            yield from _unused(inner, known.get(name, {}), resolve, f"{key}.{name}" if key else name)


def _adapt_groups(part: dict[str, Any], content: Mapping[str, Any], used: set[str], where: str) -> None:
    if isinstance(file := part.get("NWBFile"), Mapping):
        part["NWBFile"] = _stated(file)
    if isinstance(ophys := part.get("Ophys"), Mapping):
        part["Ophys"] = _ophys(dict(ophys), content, used, where)
    if isinstance(icephys := part.get("Icephys"), Mapping) and "IntracellularElectrodes" in icephys:
        rest = {key: value for key, value in icephys.items() if key != "IntracellularElectrodes"}
        entries = _entries(icephys["IntracellularElectrodes"])
        part["Icephys"] = rest | {"Electrodes": [*_entries(rest.get("Electrodes", [])), *entries]}


def _ophys(ophys: dict[str, Any], content: Mapping[str, Any], used: set[str], where: str) -> dict[str, Any]:
    registry = ophys.get("ImagingPlanes")
    for key, plural in (("ImagingPlane", "ImagingPlanes"), ("Device", "Devices")):
        if plural in ophys:
            ophys[key] = [*_entries(ophys.get(key, [])), *_entries(ophys.pop(plural))]
    for key in ("TwoPhotonSeries", "OnePhotonSeries", "MicroscopySeries"):
        if isinstance(ophys.get(key), list | Mapping):
            entries = ophys[key] if isinstance(ophys[key], list) else list(ophys[key].values())
            if key != "MicroscopySeries" and isinstance(ophys[key], Mapping):
                continue  # these two were never dictionaries: the schema says what is expected
            ophys[key] = [_of_registry(e, "imaging_plane", registry, "Ophys.ImagingPlanes", where) for e in entries]
    devices: list[Any] = []
    if isinstance(ophys.get("ImagingPlane"), list):
        ophys["ImagingPlane"] = [_plane(e, content, devices, used, where) for e in ophys["ImagingPlane"]]
    if devices:
        ophys["Device"] = [*_entries(ophys.get("Device", [])), *devices]
    return ophys


def _plane(entry: Any, content: Mapping[str, Any], devices: list[Any], used: set[str], where: str) -> Any:
    """Return an imaging plane that names its device, which is added to `devices`."""
    if not isinstance(entry, Mapping):
        return entry
    key = entry.get("device_metadata_key")
    plane = dict(_of_registry(entry, "device", content.get("Devices"), "Devices", where))
    if key is not None:
        used.add(key)
        devices.append(_device(content["Devices"][key], content, where))
    if "optical_channels" in plane:
        plane["optical_channel"] = plane.pop("optical_channels")
    if isinstance(channels := plane.get("optical_channel"), list):
        plane["optical_channel"] = [_stated(c) if isinstance(c, Mapping) else c for c in channels]
    unit = plane.pop("grid_spacing_unit", "micrometers")
    if unit not in _MICROMETRES and "grid_spacing" in plane:
        raise BadMetadata(
            f"{where}: Ophys.ImagingPlane.grid_spacing is in {unit}; write it in micrometres, "
            "and leave out grid_spacing_unit"
        )
    return plane


def _device(entry: Mapping[str, Any], content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a device with what its model says."""
    key = entry.get("device_model_metadata_key")
    device = {name: value for name, value in entry.items() if name != "device_model_metadata_key"}
    if key is not None:
        models = content.get("DeviceModels")
        if not isinstance(models, Mapping) or not isinstance(models.get(key), Mapping):
            raise BadMetadata(f"{where}: a device names the model {key}, which is not in DeviceModels")
        model = models[key]
        device |= {"model": model.get("name", key)}
        if "manufacturer" in model:
            device["manufacturer"] = model["manufacturer"]
    return device


def _of_registry(entry: Any, word: str, registry: Any, holder: str, where: str) -> Any:
    """Return an entry that names what it refers to, in place of its key in a dictionary."""
    if not isinstance(entry, Mapping):
        return entry
    entry = dict(_stated(entry))
    if (key := entry.pop(f"{word}_metadata_key", None)) is not None:
        if not isinstance(registry, Mapping) or not isinstance(registry.get(key), Mapping):
            known = registry if isinstance(registry, Mapping) else {}
            hint = near(str(key), known) if known else f"expected {holder} to have it"
            raise BadMetadata(f"{where}: {word}_metadata_key is {key!r}, which is not in {holder}; {hint}")
        if "name" in registry[key]:
            entry[word] = registry[key]["name"]
    return entry


def _entries(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else [value]


def _stated(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group without NeuroConv's placeholders, which say nothing and may not win over the source."""

    def stands_for_nothing(key: str, value: Any) -> bool:
        value = "nan" if isinstance(value, float) and math.isnan(value) else value
        return value in _PLACEHOLDERS.get(key, ()) if isinstance(value, str) else False

    return {key: value for key, value in group.items() if not stands_for_nothing(key, value)}
