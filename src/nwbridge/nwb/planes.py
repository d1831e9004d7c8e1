"""Instruments and imaging planes, to and from NWB."""

from __future__ import annotations

import math
from typing import Any

from pynwb import NWBFile
from pynwb.device import Device as NwbDevice
from pynwb.device import DeviceModel
from pynwb.ophys import ImagingPlane, OpticalChannel

from nwbridge.model import Channel, Device, Plane
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.stored import Stored, micrometres, number, positive, text

_UM = {"micrometers": 1.0, "um": 1.0, "µm": 1.0, "microns": 1.0, "millimeters": 1e3, "mm": 1e3}
_METRES = ("meters", "m")


def imaging_plane(plane: Plane, file: NWBFile) -> ImagingPlane:
    """Return the file's imaging plane for `plane`, made at the first call."""
    if plane.name in file.imaging_planes:
        return file.imaging_planes[plane.name]
    channels = [
        OpticalChannel(
            name=channel.name,
            description=channel.description or "unknown",
            emission_lambda=as_float(channel.emission_nm, math.nan),
        )
        for channel in plane.channels
    ]
    spacing = (
        None if plane.pixel_um is None else [float(plane.pixel_um[axis]) for axis in (1, 0, 2)[: len(plane.pixel_um)]]
    )
    return file.create_imaging_plane(
        name=plane.name,
        optical_channel=channels,
        description=plane.description or "no description",
        device=device(plane.device, file),
        excitation_lambda=as_float(plane.excitation_nm, math.nan),
        indicator=plane.indicator or "unknown",
        location=plane.location or "unknown",
        imaging_rate=as_float(plane.rate_hz),
        grid_spacing=spacing,
        grid_spacing_unit="micrometers" if spacing else "meters",
    )


def as_float(value: float | None, unknown: float | None = None) -> float | None:
    """NWB takes floats only where plugins may give whole numbers."""
    return unknown if value is None else float(value)


def device(known: Device, file: NWBFile) -> NwbDevice:
    """Return the file's device, made at the first call."""
    if known.name in file.devices:
        return file.devices[known.name]
    model = None
    if known.manufacturer or known.model:
        maker = known.manufacturer or "unknown"
        name = _clean(known.model or "unknown model")
        if (model := file.device_models.get(name)) is not None and model.manufacturer != maker:
            name = f"{name} ({maker})"  # two makers may use one word
            model = file.device_models.get(name)
        if model is None:
            words = None if name == known.model else stating(None, model=known.model)
            model = DeviceModel(name=name, manufacturer=maker, description=words)
            file.add_device_model(model)
    made = NwbDevice(name=known.name, description=known.description or "not described by the source", model=model)
    file.add_device(made)
    return made


def _clean(words: str) -> str:
    """Return words as a name that an object of a file can have."""
    return words.replace("/", "_").replace(":", "_")


def plane_of(plane: ImagingPlane, stored: Stored) -> Plane:
    """Return the imaging plane that a file describes."""

    def known(value: Any, what: str) -> float | None:
        if number(value) is not None and positive(value) is None:
            stored.say(f"imaging plane {plane.name}: {what} of {value} is taken as unknown")
        return positive(value)

    return Plane(
        name=plane.name,
        description=text(plane.description),
        device=device_of(plane.device),
        channels=tuple(
            Channel(c.name, text(c.description), known(c.emission_lambda, "an emission")) for c in plane.optical_channel
        ),
        indicator=text(plane.indicator),
        location=text(plane.location),
        excitation_nm=known(plane.excitation_lambda, "an excitation"),
        rate_hz=known(plane.imaging_rate, "a rate"),
        pixel_um=_pixel(plane, stored),
    )


def _pixel(plane: ImagingPlane, stored: Stored) -> tuple[float, ...] | None:
    """Return (row, column[, plane]) in micrometres."""
    if plane.grid_spacing is None:
        return None
    values, unit = [float(value) for value in plane.grid_spacing], plane.grid_spacing_unit or "meters"
    if len(values) not in (2, 3) or not all(map(positive, values)) or not (unit in _METRES or unit in _UM):
        stored.say(f"imaging plane {plane.name}: a grid spacing of {values} {unit} is taken as unknown")
        return None
    sizes = [micrometres(value) if unit in _METRES else value * _UM[unit] for value in values]
    return tuple(sizes[axis] for axis in (1, 0, 2)[: len(sizes)])


def device_of(stored: NwbDevice) -> Device:
    """Return the device that a file describes."""
    model = stored.model
    maker = model.manufacturer if model is not None else stored.fields.get("manufacturer")
    name = None if model is None else stated(model.description)[1].get("model", model.name)
    return Device(
        name=stored.name,
        description=text(stored.description),
        manufacturer=text(maker),
        model=None if name == "unknown model" else name,
    )
