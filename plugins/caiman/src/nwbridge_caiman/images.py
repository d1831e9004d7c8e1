"""Images of CaImAn: local correlation Cn, noise of each pixel sn, and the constant background b0."""

from collections.abc import Iterator

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import Image, Images
from nwbridge_caiman.results import Results

WORDS = {
    "Cn": "CaImAn's Cn: correlation of each pixel with its neighbours",
    "sn": "CaImAn's sn: standard deviation of each pixel's noise",
    "b0": "CaImAn's b0: constant background of each pixel",
}


def summary(results: Results, dims: tuple[int, ...]) -> Images | None:
    """Return the images that there are; a volume is one image for each plane."""
    found = tuple(image for key in WORDS for image in _images(results, key, dims))
    made = "the movie that CaImAn analysed"
    return Images("SummaryImages", found, "images that CaImAn computed", made) if found else None


def _images(results: Results, key: str, dims: tuple[int, ...]) -> Iterator[Image]:
    name, pixels = f"estimates/{key}", int(np.prod(dims))
    item = results.dataset(name)
    if item is None or item.ndim == 0 or item.size == 0:
        return
    flat = item.ndim == 1 or (item.ndim == 2 and len(dims) == 2 and item.shape == (pixels, 1))
    if flat and item.size != pixels:
        raise results.bad(name, f"has {item.size} values; expected {pixels}, one for each pixel of {dims}")
    if not flat:
        results.shape(name, "(row, column[, plane])", dims, f"the images have {dims}")
    results.check_numbers(name, item)
    size, rank = (dims[0], dims[1]), item.ndim

    def image(plane: int) -> Image:
        def read(file: h5py.File, start: int, stop: int) -> npt.NDArray[np.generic]:
            if not flat:
                values: npt.NDArray[np.generic] = file[name][(slice(start, stop), slice(None), plane)[:rank]]
                return values
            first = plane * size[0] * size[1]
            values = file[name][first : first + size[0] * size[1]]
            return values.reshape(size, order="F")[start:stop]

        label = key if len(dims) == 2 else f"{key}_plane_{plane}"
        return Image(label, results.lazy(size, item.dtype, read), WORDS[key])

    for plane in range(dims[2] if len(dims) == 3 else 1):
        yield image(plane)
