"""What a recording holds, between a source and NWB: frozen records without any I/O.

``None`` means "the source does not say"; nobody invents a value. Large arrays are only ever `LazyArray`.
Axis order is (time, row, column) as in microscopy; the NWB side transposes.
"""

from nwbridge.model.findings import Finding, Severity
from nwbridge.model.lazy import LazyArray, Reader
from nwbridge.model.optics import Channel, Device, Image, Images, Movie, Plane
from nwbridge.model.regions import Region, Segmentation, Status, TraceKind, Traces
from nwbridge.model.series import Electrode, Series
from nwbridge.model.session import Element, Session, Subject
from nwbridge.model.steps import Step
from nwbridge.model.tables import Column, Events, Intervals, Localizations, Parameters, Table, Units

__all__ = [
    "Channel",
    "Column",
    "Device",
    "Electrode",
    "Element",
    "Events",
    "Finding",
    "Image",
    "Images",
    "Intervals",
    "LazyArray",
    "Localizations",
    "Movie",
    "Parameters",
    "Plane",
    "Reader",
    "Region",
    "Segmentation",
    "Series",
    "Session",
    "Severity",
    "Status",
    "Step",
    "Subject",
    "Table",
    "TraceKind",
    "Traces",
    "Units",
]
