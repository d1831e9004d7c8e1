"""What may be a name: elements and their parts become objects of an HDF5 file."""

from __future__ import annotations

from collections.abc import Collection

from nwbridge.errors import BadSource

_TYPED = ("namespace", "neurodata_type", "object_id")  # every object of NWB has these itself


def check_name(what: str, name: object, reserved: Collection[str] = ()) -> None:
    """Raise BadSource unless an object of NWB can have the name beside those that are `reserved`."""
    if not isinstance(name, str) or not name.strip() or name in (".", "..") or {"/", ":"} & set(name):
        raise BadSource(f"{what} is named {name!r}; expected a name without / and :")
    if name in reserved or (reserved and name in _TYPED):
        raise BadSource(f"{what} is named {name}, which NWB uses itself; expected another name")
