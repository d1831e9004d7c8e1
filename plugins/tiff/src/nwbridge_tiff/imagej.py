"""What ImageJ, and tifffile in its own way, write into the ImageDescription."""

import json
import re
from collections.abc import Iterator, Mapping

from nwbridge import BadSource, Channel, Finding, arrays
from nwbridge_tiff.said import Said, hint, label, micrometres, number, positive, seconds, warning

MICRO = "\\u00B5"  # as ImageJ writes µ
AXES = {"channels": "C", "slices": "Z", "frames": "T"}


def read_imagej(tags: arrays.TiffTags, name: str) -> Said:
    """Return what ImageJ says: ``key=value`` lines, the pixel size as resolution with ``unit=``."""
    keys = {key: value.strip() for key, _, value in (line.partition("=") for line in tags.description.splitlines())}
    program = f"ImageJ {keys.get('ImageJ', '')}".strip()
    sizes = {axis: _count(keys, key, name) for key, axis in AXES.items()} if keys.keys() & {"images", *AXES} else {}
    pixel, spacing = _pixel(tags, keys)
    interval, unit = positive(keys.get("finterval")), seconds(keys.get("tunit", "s"))
    offset, conversion, value_unit = _calibration(keys)
    return Said(
        program=program,
        sizes=sizes,
        order="CZT",
        rate_hz=1 / (interval * unit) if interval and unit else None,
        rate_origin=f"ImageJ: finterval={keys.get('finterval')}",
        pixel_um=pixel,
        pixel_origin=f"ImageJ: resolution with unit={keys.get('unit', '').replace(MICRO, 'µ')}",
        spacing_um=spacing,
        channels=_names(tags.labels, sizes),
        channel_origin="ImageJ: labels of the pages",
        offset=offset,
        conversion=conversion,
        unit=value_unit,
        findings=tuple(_findings(keys)),
    )


def _count(keys: Mapping[str, str], key: str, name: str) -> int:
    text = keys.get(key, "1")
    if not re.fullmatch(r"[1-9]\d{0,11}", text):
        raise BadSource(f"{name}: ImageJ says {key}={text:.20}; expected a whole number from 1")
    return int(text)


def _pixel(tags: arrays.TiffTags, keys: Mapping[str, str]) -> tuple[tuple[float, float] | None, float | None]:
    """Return the pixel's size and the planes' distance; 72 dots an inch, as many programs write, is no pixel size."""
    scale = micrometres(keys.get("unit", ""))
    if scale is None or tags.resolution is None:
        return None, None
    rows, columns = tags.resolution
    down = micrometres(keys.get("yunit", keys["unit"])) or scale
    spacing = positive(keys.get("spacing"))
    return (float(1 / rows) * down, float(1 / columns) * scale), spacing * scale if spacing else None


def _calibration(keys: Mapping[str, str]) -> tuple[float, float, str | None]:
    """Return offset, factor and unit of the values, where ImageJ has a straight line for them."""
    offset, factor = number(keys.get("c0")), number(keys.get("c1"))
    # values of 16-bit images with a sign are stored from 0 on: cf=0, c0=-32768, c1=1
    if keys.get("cf") != "0" or offset is None or not factor:
        return 0.0, 1.0, None
    unit = keys.get("vunit", "")
    return offset, factor, None if unit in ("", "Gray Value", "gray value") else unit


def _names(labels: tuple[str, ...], sizes: Mapping[str, int]) -> tuple[Channel, ...]:
    """Return the channels, where all pages of each have one label."""
    count = sizes.get("C", 1)
    groups = [set(labels[first::count]) for first in range(count)]
    if count < 2 or len(labels) < count or any(len(group) != 1 or "" in group for group in groups):
        return ()
    return tuple(Channel(label(group.pop())) for group in groups)


def _findings(keys: Mapping[str, str]) -> Iterator[Finding]:
    if keys.get("cf", "0") != "0":
        yield warning(f"ImageJ calibrates the values by no straight line (cf={keys['cf']}); they are kept as stored")
    if "fps" in keys and "finterval" not in keys:
        yield hint(f"ImageJ plays the movie with fps={keys['fps']}; that is no frame rate", "if it is one, give --rate")
    if "finterval" in keys and not (positive(keys["finterval"]) and seconds(keys.get("tunit", "s"))):
        said = f"finterval={keys['finterval']} {keys.get('tunit', 's')}"
        yield warning(f"ImageJ says {said}, which is no interval in a known unit", "give --rate")


def read_stacked(tags: arrays.TiffTags, name: str) -> Said:
    """Return what tifffile says: the shape of all pages as JSON, and its axes where they were given."""
    try:
        said = json.loads(tags.description)
        shape, axes = [int(size) for size in said["shape"]], str(said.get("axes", ""))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Said()
    before = shape[:-2]
    letters = axes[: len(before)] if len(axes) == len(shape) else ""
    several = [(letter, size) for letter, size in zip(letters or "?" * len(before), before, strict=True) if size > 1]
    if all(letter in "CZT" for letter, _ in several):
        order = "".join(dict.fromkeys("".join(letter for letter, _ in several[::-1]) + "CZT"))
        return Said("tifffile", dict.fromkeys("CZT", 1) | dict(several), order)
    if len(several) < 2:
        return Said("tifffile")
    text = f"tifffile gives the shape {shape} without the names T, Z and C for what lies before rows and columns"
    return Said("tifffile", unsettled=text)
