"""What a TIFF says of itself, against tifffile."""

import random
import struct
from fractions import Fraction

import numpy as np
import pytest
import tifffile

from nwbridge import BadSource, NwbridgeError
from nwbridge.arrays import files_in, tiff_tags

IMAGE = np.arange(20 * 36, dtype=np.uint16).reshape(20, 36)
LABELS = ["GCaMP – Kanal 1", "tdTomato", "µ"]


def tags_of(path):
    return tiff_tags(files_in(path)[path.name])


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
def test_gives_texts_and_resolution(tmp_path, options):
    path = tmp_path / "a.tif"
    more = {
        "software": "SI.x = 1\nSI.y = 2",
        "datetime": "2020:01:02 03:04:05",
        "extratags": [(315, 2, 0, "rois", True)],
    }
    tifffile.imwrite(
        path,
        IMAGE,
        description="text µ".encode(),
        metadata=None,
        resolution=((5, 4), (8, 3)),
        resolutionunit=3,
        **more,
        **options,
    )
    tags = tags_of(path)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        assert page.tags[282].value == (5, 4)
        assert tags.software == page.software
        assert (tags.shape, tags.dtype) == (page.shape, page.dtype)
    assert tags.description == "text µ"
    assert tags.resolution == (Fraction(8, 3), Fraction(5, 4))  # along rows, along columns
    assert (tags.resolution_unit, tags.artist, tags.date_time) == (3, "rois", "2020:01:02 03:04:05")


def test_says_nothing_where_there_are_no_tags(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, metadata=None, software=False)
    tags = tags_of(tmp_path / "a.tif")
    assert (tags.description, tags.software, tags.artist, tags.date_time, tags.labels) == ("", "", "", "", ())


@pytest.mark.parametrize("order", ["<", ">"])
def test_gives_the_labels_of_imagej(tmp_path, order):
    path = tmp_path / "a.tif"
    metadata = {"Labels": LABELS, "Info": "some text", "Ranges": (0.0, 9.0)}
    tifffile.imwrite(path, np.stack([IMAGE] * 3), imagej=True, metadata=metadata, byteorder=order)
    assert tags_of(path).labels == tuple(LABELS)
    with tifffile.TiffFile(path) as tif:
        assert tif.imagej_metadata["Labels"] == LABELS


def test_reads_a_description_of_older_imagej_that_is_not_utf_8(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, description=b"ImageJ=1.4\nunit=\xb5m\n", metadata=None)
    assert "unit=µm" in tags_of(tmp_path / "a.tif").description


def test_leaves_out_a_resolution_of_nothing(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, metadata=None, resolution=((5, 4), (8, 3)))
    data = bytearray(path.read_bytes())
    place = data.index(struct.pack("<LL", 5, 4))
    data[place : place + 8] = bytes(8)
    path.write_bytes(data)
    assert tags_of(path).resolution is None


def test_refuses_what_is_no_tiff(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(BadSource, match=r"a\.tif holds no frame"):
        tags_of(tmp_path / "a.tif")


def test_flipped_bytes_are_read_or_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([IMAGE] * 3), imagej=True, metadata={"Labels": LABELS}, resolution=(2, 3))
    whole, numbers = path.read_bytes(), random.Random(5)
    ends = [whole.index(b"lbal"), whole.index(b"ImageJ=")]
    places = [*range(400), *(n for end in ends for n in range(end - 20, end + 80))]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        data = bytearray(whole)
        data[numbers.choice(places)] = numbers.choice([0, 1, 0x7F, 0xFF])
        path.write_bytes(data)
        try:
            outcomes["read"] += isinstance(tags_of(path).labels, tuple)
        except NwbridgeError:
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == 300
    assert min(outcomes.values()) > 5


def test_leaves_out_labels_that_claim_more_than_is_there(tmp_path):
    extra = [(50838, "I", 2, (1004, 10), True), (50839, "B", 15, b"IJIJlabl" + bytes(7), True)]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((12, 20), np.uint16), metadata=None, extratags=extra)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert {50838, 50839} <= set(tif.pages[0].tags.keys())
    assert tags_of(tmp_path / "a.tif").labels == ()
