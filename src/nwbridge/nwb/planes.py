"""Instruments and imaging planes, to and from NWB."""

from __future__ import annotations

import math

from pynwb import NWBFile
from pynwb.device import Device as NwbDevice
from pynwb.device import DeviceModel
from pynwb.ophys import ImagingPlane, OpticalChannel

from nwbridge.model import Channel, Device, Plane
from nwbridge.nwb.stored import number, text

_UM = {"micrometers": 1.0, "um": 1.0, "microns": 1.0, "millimeters": 1e3, "meters": 1e6, "m": 1e6}


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
        name = known.model or "unknown model"
        model = file.device_models.get(name)
        if model is None:
            model = DeviceModel(name=name, manufacturer=known.manufacturer or "unknown")
            file.add_device_model(model)
    made = NwbDevice(name=known.name, description=known.description or "not described by the source", model=model)
    file.add_device(made)
    return made


def plane_of(stored: ImagingPlane) -> Plane:
    """Return the imaging plane that a file describes."""
    spacing = stored.grid_spacing
    pixel = None
    if spacing is not None and (unit := _UM.get(stored.grid_spacing_unit or "meters")):
        values = [float(value) * unit for value in spacing]
        pixel = tuple(values[axis] for axis in (1, 0, 2)[: len(values)]) if len(values) in (2, 3) else None
    channels = stored.optical_channel
    return Plane(
        name=stored.name,
        description=text(stored.description),
        device=device_of(stored.device),
        channels=tuple(Channel(c.name, text(c.description), number(c.emission_lambda)) for c in channels),
        indicator=text(stored.indicator),
        location=text(stored.location),
        excitation_nm=number(stored.excitation_lambda),
        rate_hz=number(stored.imaging_rate),
        pixel_um=pixel,
    )


def device_of(stored: NwbDevice) -> Device:
    """Return the device that a file describes."""
    model = stored.model
    maker = model.manufacturer if model is not None else stored.fields.get("manufacturer")
    return Device(
        name=stored.name,
        description=text(stored.description),
        manufacturer=text(maker),
        model=None if model is None or model.name == "unknown model" else model.name,
    )
