"""From the pages of TIFFs to movies, one a channel: what the tags say, and the options where they do not."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nwbridge import (
    BadOption,
    BadSource,
    Channel,
    Finding,
    Image,
    Images,
    LazyArray,
    Movie,
    Parameters,
    Plane,
    Session,
    arrays,
    option,
)
from nwbridge_tiff.imagej import read_imagej, read_stacked
from nwbridge_tiff.ome import File, is_ome, read_ome
from nwbridge_tiff.order import Asked, Order, settle
from nwbridge_tiff.said import Said, hint, positive, warning
from nwbridge_tiff.scanimage import read_scanimage
from nwbridge_tiff.selection import SUFFIXES, select

SERIES = {"two-photon": "TwoPhotonSeries", "one-photon": "OnePhotonSeries"}


@dataclass(frozen=True)
class TiffOptions:
    """What the tags may leave open."""

    rate: float | None = option(None, "frames a second (volumes, where they have planes), whatever the tags say")
    pixel_um: str | None = option(None, "pixel size in µm: SIZE, or ROWS,COLUMNS, or ROWS,COLUMNS,PLANES")
    kind: Literal["two-photon", "one-photon"] | None = option(
        None, "how it was imaged; two-photon, with a warning, where neither tags nor you say it"
    )
    channels: int | None = option(None, "number of channels, where the tags do not say or say it wrongly")
    planes: int | None = option(None, "planes of a volume, where the tags do not say; 1: all pages are frames in time")
    order: Literal["CZT", "ZCT", "CTZ", "TCZ", "ZTC", "TZC"] | None = option(
        None, "how pages follow each other, the fastest first: C channels, Z planes, T time; CZT unless the tags say"
    )
    flyback: int | None = option(None, "pages of each channel after a volume's last plane that hold none (ScanImage)")
    files: str | None = option(None, "which TIFFs of a folder or zip belong to the recording, such as '*_ch1_*'")


def describe(path: Path, options: TiffOptions) -> Session:
    """Describe one movie for each channel, or images where there is only one moment."""
    asked = Asked(options.channels, options.planes, options.order, options.flyback)
    if options.rate is not None and not positive(options.rate):
        raise BadOption(f"--rate {options.rate}: expected more than 0")
    files = arrays.files_in(path)
    blobs, findings = select(files, options.files)
    tags, pages = arrays.tiff_tags(blobs[0]), arrays.tiff_pages(blobs)
    said = read_scanimage(tags, pages) or _read(tags, blobs, pages.counts)
    if not (said.whole and len(blobs) > 1) and not said.header and asked.channels is None and asked.planes is None:
        _check_others(said, tags, blobs, pages)
    if options.rate or (said.times is not None and len(said.times) != sum(pages.counts)):
        said = replace(said, times=None)
    name = _name(files, blobs)
    order = settle(files.path.name, pages.counts, said, asked)
    kind = options.kind or said.kind or "two-photon"
    if options.kind is None and said.kind is None and order.times > 1:
        text = "nothing says how it was imaged; two-photon was assumed"
        findings.append(warning(text, "give --kind two-photon, or --kind one-photon for a camera's movie"))
    plane = _plane(said, order, options)
    clocks = [_clock(files.path.name, said, order, channel, plane.rate_hz) for channel in range(order.channels)]
    if said.rate_hz and not order.as_stated and plane.rate_hz is None and said.times is None:
        text = f"the stated rate of {said.rate_hz:g} Hz was left out: it belongs to another order of the pages"
        findings.append(hint(text, "give --rate"))
    elements = _elements(name, said, order, plane, kind, pages, clocks)
    if said.header:
        elements += (Parameters("ScanImage", said.header, "settings, as ScanImage wrote them", said.program),)
    findings += [*said.findings, *order.findings, *{c.finding for c in clocks if c.finding is not None}]
    return Session(
        id=name,
        description=_sentence(name, said, order),
        elements=elements,
        start_time=said.start_time,
        files=tuple(sorted({blob.path for blob in blobs})),
        findings=tuple(replace(finding, where=files.path.name) for finding in findings),
        origins=_origins(said, options, SERIES[kind]),
    )


def _read(tags: arrays.TiffTags, blobs: Sequence[arrays.Blob], counts: Sequence[int]) -> Said:
    """Return what the first file's ImageDescription says."""
    name = blobs[0].name.rsplit("/", 1)[-1]
    if is_ome(tags.description):
        files = [File(blob.name.rsplit("/", 1)[-1], n) for blob, n in zip(blobs, counts, strict=True)]
        return read_ome(tags, files)
    if tags.description.startswith("ImageJ="):
        return read_imagej(tags, name)
    return read_stacked(tags, name) if tags.description.startswith("{") else Said()


def _check_others(said: Said, tags: arrays.TiffTags, blobs: Sequence[arrays.Blob], pages: arrays.TiffPages) -> None:
    """Raise BadSource where another file says that its pages follow each other in another way than the first's."""
    for blob, count, text in zip(blobs, pages.counts, pages.openings(), strict=True):
        if text is not None and text != tags.description:
            other = _read(replace(tags, description=text), [blob], [count])
            if _form(other) != _form(said):
                raise BadSource(
                    f"{blob.name} says of its pages {_form(other)}, {blobs[0].name} {_form(said)}; expected the same: "
                    "choose with --files, or say it: --channels N, --planes N"
                )


def _form(said: Said) -> str:
    """Return how channels and planes lie between each other in one file; its length does not matter."""
    if sum(size > 1 for size in said.sizes.values()) < 2:
        return said.unsettled or "that they are frames in time"
    own = " in an order of its own" if said.places is not None else ""
    order = "".join(axis for axis in said.order or "" if axis == "T" or said.sizes.get(axis, 1) > 1)
    return f"{said.sizes.get('C', 1)} channels × {said.sizes.get('Z', 1)} planes, {order} the fastest first{own}"


def _pixel(text: str | None) -> tuple[float, ...] | None:
    """Return the pixel that the user gives, as (row, column[, plane])."""
    if text is None:
        return None
    sizes = [positive(part) for part in text.split(",")]
    if None in sizes or not 1 <= len(sizes) <= 3:
        raise BadOption(f"--pixel-um {text}: expected SIZE, or ROWS,COLUMNS, or ROWS,COLUMNS,PLANES, in µm above 0")
    given = tuple(size for size in sizes if size is not None)
    return given * 2 if len(given) == 1 else given


def _plane(said: Said, order: Order, options: TiffOptions) -> Plane:
    pixel, spacing = _pixel(options.pixel_um), said.spacing_um
    pixel = pixel[:2] if pixel is not None and order.planes == 1 else pixel
    if pixel is None and said.pixel_um is not None:
        pixel = (*said.pixel_um, spacing) if order.planes > 1 and spacing else said.pixel_um
    stated = said.frame_hz if order.planes == 1 and said.frame_hz else said.rate_hz if order.as_stated else None
    return Plane(
        device=said.device,
        channels=tuple(_channels(said, order)),
        indicator=said.indicator,
        excitation_nm=said.excitation_nm,
        rate_hz=options.rate or stated,
        pixel_um=pixel,
    )


def _channels(said: Said, order: Order) -> Iterator[Channel]:
    """Yield a channel for each that the pages have: with its name where the tags give one for each."""
    named = said.channels if len(said.channels) == order.channels else ()
    if not named:
        single = order.channels == 1
        named = tuple(Channel() if single else Channel(f"Channel {n + 1}") for n in range(order.channels))
    names = [c.name if _ending(c.name) else f"Channel {number}" for number, c in enumerate(named, 1)]
    alike = len({_ending(name) for name in names}) < len(names)
    for number, (channel, name) in enumerate(zip(named, names, strict=True), 1):
        yield replace(channel, name=f"{name} {number}" if alike else name)


def _ending(channel: str) -> str:
    """Return what the name of a channel's series ends with."""
    return re.sub(r"\W+", "", channel.title() if channel.islower() else channel)


@dataclass(frozen=True)
class Clock:
    """When the frames of one channel were taken."""

    rate_hz: float | None = None
    times: LazyArray | None = None
    start_s: float = 0.0
    finding: Finding | None = None


def _clock(name: str, said: Said, order: Order, channel: int, rate: float | None) -> Clock:
    """Return the stated rate where the stated times agree with it, else the times."""
    if said.times is None or order.times < 2:
        return Clock(rate)
    times = said.times[order.entries[:, 0, channel]]
    steps = np.diff(times)
    if not steps.any():
        text = f"the file gives all frames one time, {times[0]:g} s, which says nothing; it is left out"
        return Clock(rate, finding=hint(text))
    if (steps <= 0).any():
        back = int(np.argmax(steps <= 0)) + 1
        raise BadSource(
            f"{name}: by its own times, frame {back} ({times[back]:g} s) was not taken after frame {back - 1} "
            f"({times[back - 1]:g} s); expected one recording; choose its files with --files, or give --rate"
        )
    if rate is not None and np.abs(times - times[0] - np.arange(len(times)) / rate).max() * rate < 0.5:
        return Clock(rate, start_s=float(times[0]))
    finding = None
    if rate is not None:
        text = f"the frames' own times are not those of {rate:g} Hz: steps of {steps.min():g} to {steps.max():g} s"
        finding = warning(text, "the times are written; frames may be missing")
    return Clock(times=arrays.from_numpy(times), finding=finding)


def _elements(
    name: str, said: Said, order: Order, plane: Plane, kind: Any, pages: arrays.TiffPages, clocks: list[Clock]
) -> tuple[Any, ...]:
    """Return a movie for each channel, or an image for each channel and plane of a single moment."""
    several = order.channels > 1
    words = f", as {said.program} wrote them" if said.program else ""
    if order.times == 1:
        return (_images(name, order, plane, pages, words),)
    movies = []
    for place, (channel, clock) in enumerate(zip(plane.channels, clocks, strict=True)):
        movies.append(
            Movie(
                SERIES[kind] + (_ending(channel.name) if several else ""),
                _of(pages, order, place),
                plane,
                kind,
                (f"channel {channel.name}: " if several else "") + f"the {_things(order)} of {name}{words}",
                rate_hz=clock.rate_hz,
                timestamps=clock.times,
                start_s=clock.start_s,
                unit=said.unit,
                offset=said.offset,
                conversion=said.conversion,
            )
        )
    return tuple(movies)


def _of(pages: arrays.TiffPages, order: Order, channel: int) -> LazyArray:
    """Return the frames, or volumes, of one channel."""
    if order.pages is None:
        return pages.array
    own = order.pages[:, :, channel]
    return arrays.rearranged(pages.array, own[:, 0] if order.planes == 1 else own)


def _images(name: str, order: Order, plane: Plane, pages: arrays.TiffPages, words: str) -> Images:
    """One moment is no movie: an image for each channel and plane."""
    images = []
    for place, channel in enumerate(plane.channels):
        for z in range(order.planes):
            page = 0 if order.pages is None else int(order.pages[0, z, place])
            frame = arrays.only_frame(arrays.rearranged(pages.array, np.array([page])))
            parts = [channel.name] * (order.channels > 1) + [f"plane {z + 1}"] * (order.planes > 1)
            pixel = plane.pixel_um[:2] if plane.pixel_um else None
            images.append(Image(" ".join(parts) or "Image", frame, pixel_um=pixel))  # type: ignore[arg-type]
    apart = f", planes {plane.pixel_um[2]:g} µm apart" if plane.pixel_um and len(plane.pixel_um) == 3 else ""
    return Images("Images", tuple(images), f"the pages of {name}{words}{apart}")


def _things(order: Order) -> str:
    return f"volumes of {order.planes} planes" if order.planes > 1 else "frames"


def _name(files: arrays.Files, blobs: list[arrays.Blob]) -> str:
    """Return the name of the one TIFF, or of the folder or zip that holds them."""
    name = files.path.resolve().name if len(blobs) > 1 else blobs[0].name.rsplit("/", 1)[-1]
    ending = "|".join(re.escape(suffix) for suffix in (*SUFFIXES, ".zip"))
    return re.sub(rf"(\.ome)?({ending})$", "", name, flags=re.IGNORECASE) or name


def _sentence(name: str, said: Said, order: Order) -> str:
    what = f"Movie of {order.times:,} {_things(order)}" if order.times > 1 else "Images of one moment"
    channels = f" in {order.channels} channels" if order.channels > 1 else ""
    own = f" {said.description.rstrip('.')}." if said.description and said.description != name else ""
    return f"{what}{channels}, from the TIFF {name}.{own}"


def _origins(said: Said, options: TiffOptions, series: str) -> dict[str, str]:
    rate = "option --rate" if options.rate else said.rate_origin
    return {
        "NWBFile.session_id": "the name of the file, folder or zip",
        "NWBFile.session_start_time": said.start_origin,
        f"Ophys.{series}.rate": rate,
        "Ophys.ImagingPlane.grid_spacing": "option --pixel-um" if options.pixel_um else said.pixel_origin,
        "Ophys.ImagingPlane.indicator": said.channel_origin,
        "Ophys.ImagingPlane.excitation_lambda": said.channel_origin,
        "Ophys.ImagingPlane.optical_channel.emission_lambda": said.channel_origin,
    }
