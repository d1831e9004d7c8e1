"""What ScanImage writes: 2016 and later into Software, 4 to 5.1 and 3.8 into the ImageDescription."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import Channel, Device, Finding, arrays
from nwbridge_tiff.said import Said, label, local_start, number, positive, warning

LINE = re.compile(r"^[ \t]*(?:scanimage\.)?(SI\d?\.[^\s=]+|state\.[^\s=]+)[ \t]*=(.*)$", re.MULTILINE)
TIME = re.compile(r"^(?:frameTimestamps_sec|Frame Timestamp\(s\))\s*=\s*(\S+)", re.MULTILINE)
EPOCH = re.compile(
    r"^epoch\s*=\s*\[\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+(?:\.\d*)?)", re.MULTILINE
)


def read_scanimage(tags: arrays.TiffTags, pages: arrays.TiffPages | None = None) -> Said | None:
    """Return what ScanImage says, or None where it says nothing; with `pages` also when each was taken."""
    texts = "\n".join((tags.software, tags.description)).replace("\r", "\n")
    header = {key: value.strip() for key, value in LINE.findall(texts)}
    if not header:
        return None
    plain = {key.split(".", 1)[1]: value for key, value in header.items()}
    said = _older(plain) if any(key.startswith("state.") for key in header) else _current(plain, tags)
    findings = [*said.findings]
    if moment := _epoch(tags.description):
        findings.append(local_start("ScanImage", moment))
    return replace(
        said,
        order="CZT",
        times=_times(pages) if pages is not None else None,
        kind="two-photon",
        device=Device(description=f"laser-scanning microscope run by {said.program}"),
        header=header,
        findings=tuple(findings),
    )


def _current(keys: Mapping[str, str], tags: arrays.TiffTags) -> Said:
    version = ".".join(filter(None, (keys.get(f"VERSION_{part}", "").strip("'") for part in ("MAJOR", "MINOR"))))
    saved = [int(n) for n in _numbers(keys.get("hChannels.channelSave", keys.get("channelsSave", "")))]
    names = re.findall(r"'([^']*)'", keys.get("hChannels.channelName", keys.get("channelsName", "")))
    planes, unsettled, flyback = _planes(keys)
    averaged = _whole(keys, "hScan2D.logAverageFactor", "acqNumAveragedFrames") or 1
    frame = _rate(keys, "hRoiManager.scanFrameRate", "scanFrameRate")
    volume = _rate(keys, "hRoiManager.scanVolumeRate")
    pixel = _pixel(keys, tags)
    return Said(
        program=f"ScanImage {version}".strip(),
        sizes={"C": max(1, len(saved)), "Z": planes},
        flyback=flyback,
        unsettled=unsettled,
        rate_hz=None if averaged > 1 else volume,
        frame_hz=None if averaged > 1 else frame,
        rate_origin="ScanImage: hRoiManager.scanFrameRate or scanVolumeRate",
        pixel_um=pixel,
        pixel_origin="ScanImage: hRoiManager.imagingFovUm",
        spacing_um=_spacing(keys),
        channels=tuple(Channel(label(names[n - 1]) if 0 < n <= len(names) else f"Channel {n}") for n in saved),
        channel_origin="ScanImage: hChannels.channelName",
        findings=tuple(_findings(keys, averaged)),
    )


def _planes(keys: Mapping[str, str]) -> tuple[int, str, int]:
    """Return planes of a volume, what only the user can tell, and flyback frames."""
    fast = (
        _true(keys, "hFastZ.enable") or _true(keys, "fastZEnable") or "fast" in keys.get("hStackManager.stackMode", "")
    )
    enabled = keys.get("hStackManager.enable")
    slices = _whole(keys, "hStackManager.numSlices", "stackNumSlices") or 1
    if slices == 1 or (enabled is not None and not _true(keys, "hStackManager.enable")):
        return 1, "", 0
    each = (_whole(keys, "hStackManager.framesPerSlice", "acqNumFrames") or 1) // (
        _whole(keys, "hScan2D.logAverageFactor") or 1
    )
    if not fast and each > 1:
        return slices, f"ScanImage took {slices} slices of {each} frames, one slice after the other", 0
    volume = _whole(keys, "hStackManager.numFramesPerVolumeWithFlyback")
    taken = _whole(keys, "hStackManager.numFramesPerVolume") or slices
    discarded = _whole(keys, "hFastZ.numDiscardFlybackFrames", "fastZNumDiscardFrames") or 0
    if volume is None and not _true(keys, "hFastZ.discardFlybackFrames") and "fastZNumDiscardFrames" not in keys:
        discarded = 0
    return slices, "", volume - taken if volume is not None and volume > taken else discarded if volume is None else 0


def _findings(keys: Mapping[str, str], averaged: int) -> Iterator[Finding]:
    if averaged > 1:
        text = f"ScanImage averaged {averaged} frames into each that it saved; its frame rate is not the movie's"
        yield warning(text, "give --rate, unless the times of the frames are in the file")
    if _true(keys, "hRoiManager.mroiEnable"):
        yield warning(
            "ScanImage scanned several regions (mROI): they lie above each other in each frame",
            "give --pixel-um; the regions are not taken apart",
        )


def _pixel(keys: Mapping[str, str], tags: arrays.TiffTags) -> tuple[float, float] | None:
    """Return the pixel's size from the four corners of the field of view in µm, unless it is turned or of several."""
    corners = _numbers(keys.get("hRoiManager.imagingFovUm", ""))
    if len(corners) != 8 or _true(keys, "hRoiManager.mroiEnable"):
        return None
    across, down = sorted(set(corners[::2])), sorted(set(corners[1::2]))
    if len(across) != 2 or len(down) != 2:
        return None
    return (down[1] - down[0]) / tags.shape[0], (across[1] - across[0]) / tags.shape[1]


def _spacing(keys: Mapping[str, str]) -> float | None:
    step = number(keys.get("hStackManager.stackZStepSize", keys.get("stackZStepSize")))
    return abs(step) if step else None


def _older(keys: Mapping[str, str]) -> Said:
    """ScanImage 3: ``state.acq.frameRate=3.05``; it knows no fast volumes."""
    flags = [n for n in range(1, 5) if keys.get(f"acq.savingChannel{n}") == "1"]
    count = len(flags) or _whole(keys, "acq.numberOfChannelsSave") or 1
    slices = _whole(keys, "acq.numberOfZSlices") or 1
    averaged = keys.get("acq.averaging") == "1" or (_whole(keys, "acq.numAvgFramesSave") or 1) > 1
    moment = keys.get("internal.triggerTimeString", "").strip("'")
    findings = (
        []
        if not averaged
        else [warning("ScanImage averaged frames; its frame rate may not be the movie's", "give --rate")]
    )
    if moment:
        findings.append(local_start("ScanImage", moment))
    return Said(
        program=f"ScanImage {keys.get('software.version', '3')}",
        sizes={"C": count, "Z": 1},
        unsettled=f"ScanImage took {slices} slices, one after the other" if slices > 1 else "",
        rate_hz=None if averaged else positive(keys.get("acq.frameRate")),
        rate_origin="ScanImage: state.acq.frameRate",
        channels=tuple(Channel(f"Channel {n}") for n in flags),
        channel_origin="ScanImage: state.acq.savingChannel",
        findings=tuple(findings),
    )


def _times(pages: arrays.TiffPages) -> npt.NDArray[np.float64] | None:
    """Return when each page was taken, or None unless every page says it."""
    times = []
    for text in pages.descriptions():
        found = TIME.search(text.replace("\r", "\n"))
        value = number(found.group(1)) if found else None
        if value is None:
            return None
        times.append(value)
    return np.array(times)


def _epoch(description: str) -> str | None:
    """Return when the acquisition began, by the microscope computer's clock."""
    if not (found := EPOCH.search(description.replace("\r", "\n"))):
        return None
    year, month, day, hour, minute = map(int, found.groups()[:5])
    try:
        moment = datetime(year, month, day, hour, minute, int(float(found.group(6))))
    except ValueError:
        return None
    return moment.isoformat()


def _numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?", text, re.IGNORECASE)]


def _whole(keys: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these keys that is a whole number from 0, or None."""
    for name in names:
        value = number(keys.get(name))
        if value is not None and 0 <= value < 1e12 and value == int(value):
            return int(value)
    return None


def _rate(keys: Mapping[str, str], *names: str) -> float | None:
    return next((value for name in names if (value := positive(keys.get(name)))), None)


def _true(keys: Mapping[str, str], name: str) -> bool:
    return keys.get(name, "").lower() in ("1", "true")
