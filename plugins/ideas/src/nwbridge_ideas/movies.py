"""Movies and images: frames in row-major order, one after the other, each perhaps between a header and a footer."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Image, Images, LazyArray, Movie, Plane, Series, arrays
from nwbridge_ideas.acquisition import Acquisition
from nwbridge_ideas.isxd import Isxd, read_rows
from nwbridge_ideas.timing import Timing

PIXELS: dict[int, np.dtype[Any]] = {0: np.dtype("<u2"), 1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("u1")}
RGB = 3
MARGIN = 5120  # bytes of sensor lines before, and after, each frame: two lines of 1280 values of 16 bits
_COUNTER = 1272  # the first of the 8 values of the header that hold its counter


@dataclass(frozen=True)
class Frames:
    """Where the frames of a file lie."""

    file: Isxd
    count: int
    shape: tuple[int, ...]  # (row, column[, colour])
    dtype: np.dtype[Any]
    margin: int

    @property
    def nbytes(self) -> int:
        """Bytes of one frame without its margins."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def stride(self) -> int:
        """Bytes from one frame to the next."""
        return self.nbytes + 2 * self.margin

    def data(self) -> LazyArray:
        """Return (time, row, column[, colour])."""
        length = int(np.prod(self.shape))

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            offset = start * self.stride + self.margin
            rows = read_rows(self.file.path, offset, stop - start, self.stride, self.dtype, length)
            return rows.reshape(-1, *self.shape)

        return arrays.from_function((self.count, *self.shape), self.dtype.newbyteorder("="), read)

    def margins(self) -> LazyArray:
        """Return (time, byte): of every frame its header and its footer."""

        def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
            parts = (start * self.stride, start * self.stride + self.margin + self.nbytes)
            kind = np.dtype(np.uint8)
            rows = [read_rows(self.file.path, at, stop - start, self.stride, kind, self.margin) for at in parts]
            return np.concatenate(rows, axis=1)

        return arrays.from_function((self.count, 2 * self.margin), np.uint8, read)

    def counters(self) -> LazyArray:
        """Return (time,): the acquisition box's microseconds, 12 bits of which stand in each of 8 values."""

        def read(start: int, stop: int) -> npt.NDArray[np.uint64]:
            offset = start * self.stride + 2 * _COUNTER
            low_high = read_rows(self.file.path, offset, stop - start, self.stride, np.dtype("<u2"), 8)
            low_high = low_high.astype(np.uint64).reshape(-1, 4, 2)
            parts = ((low_high[:, :, 1] << np.uint64(4)) | (low_high[:, :, 0] >> np.uint64(4))) & np.uint64(0xFFFF)
            shifts = np.array([0, 16, 32, 48], np.uint64)
            total: npt.NDArray[np.uint64] = np.bitwise_or.reduce(parts << shifts, axis=1)
            return total

        return arrays.from_function((self.count,), np.uint64, read)


def frames_of(file: Isxd, timing: Timing) -> Frames:
    """Return where the frames lie; BadSource where there are more, or fewer, than the footer declares."""
    number = file.whole("dataType")
    if number not in PIXELS:
        raise file.bad(("dataType",), number, "0 (uint16), 1 (float32), 2 (uint8) or 3 (RGB888)")
    if file.get("fileVersion", default=0) not in (0, 1):
        raise file.bad(("fileVersion",), file.get("fileVersion"), "0 or 1, as movies and images have")
    around = bool(file.get("fileVersion", default=0)) and bool(file.get("hasFrameHeaderFooter", default=False))
    shape = (*file.shape(), 3) if number == RGB else file.shape()
    frames = Frames(file, timing.present, shape, PIXELS[number], MARGIN if around else 0)
    found, rest = divmod(file.payload, frames.stride)
    if file.payload != timing.present * frames.stride:
        raise BadSource(
            f"{file.path.name} is damaged: it holds {found:,} frames{f' and {rest:,} bytes' if rest else ''} of "
            f"{frames.stride:,} bytes each, the footer declares {timing.present:,} ({timing.count:,} less the dropped, "
            f"cropped and blank); get the file again"
        )
    if not timing.present:
        raise BadSource(f"{file.path.name} holds no frame: all {timing.count:,} are dropped, cropped or blank")
    return frames


def movie_of(
    file: Isxd,
    timing: Timing,
    plane: Plane,
    known: Acquisition,
    kind: Literal["one-photon", "two-photon"],
    name: str | None = None,
    made_from: str | None = None,
) -> tuple[Any, ...]:
    """Return the movie and, where its frames have headers and footers, these and the counter in them."""
    frames = frames_of(file, timing)
    if len(frames.shape) == 3:
        raise BadSource(f"{file.path.name} is an RGB888 movie; expected grey frames, which NWB's series hold")
    name = name or ("OnePhotonSeries" if kind == "one-photon" else "TwoPhotonSeries")
    movie = Movie(
        name,
        frames.data(),
        plane,
        kind,
        description=f"the frames of {file.path.name}",
        rate_hz=None if timing.spans else timing.rate_hz,
        timestamps=timing.timestamps() if timing.spans else None,
        exposure_s=known.exposure_s if kind == "one-photon" else None,
        binning=known.binning if kind == "one-photon" else None,
        made_from=made_from,
    )
    return (movie, *_around(frames, timing, name)) if frames.margin else (movie,)


def _around(frames: Frames, timing: Timing, name: str) -> tuple[Series, ...]:
    times = timing.timestamps() if timing.spans else None
    words = (
        f"of every frame of {name}: {MARGIN} bytes of header, then {MARGIN} bytes of footer, as the sensor gave them"
    )
    clock: dict[str, Any] = {"rate_hz": None if times else timing.rate_hz, "timestamps": times}
    raw = Series("frame_headers_and_footers", frames.margins(), description=words, **clock)
    if not _has_counters(frames.file):
        return (raw,)
    words = f"counter of the acquisition box in the header of every frame of {name}; only differences mean anything"
    return raw, Series("frame_counter", frames.counters(), "microseconds", description=words, **clock)


def _has_counters(file: Isxd) -> bool:
    """Whether the headers hold a counter: software from 1.1.1 on, as in the vendor's library."""
    version = file.said("producer", "version")
    numbers = version.split(".") if isinstance(version, str) else []
    if not numbers or not all(n.isdecimal() and len(n) < 9 for n in numbers[:3]):
        return False
    return tuple(map(int, numbers[:3])) >= (1, 1, 1)


def images_of(file: Isxd, timing: Timing, name: str = "Images") -> Images:
    """Return the one image of an image file."""
    if timing.count != 1:
        raise file.bad(("timingInfo", "numTimes"), timing.count, "1 in an image")
    frames = frames_of(file, timing)
    data = frames.data()

    def read(start: int, stop: int) -> npt.NDArray[Any]:
        with data.open() as reader:
            return reader[0:1][0, start:stop]

    image = arrays.from_function(frames.shape, data.dtype, read)
    words = f"the image of {file.path.name}"
    return Images(name, (Image("image", image, words),), words)
