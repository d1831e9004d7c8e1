"""NWB files of other programs with all that is hard to copy, and what h5py finds in a file, to compare two."""

import hashlib
from datetime import UTC, datetime

import h5py
import numpy as np
import pynwb
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTable, VectorData, VectorIndex
from pynwb.base import ImageReferences, Images, TimeSeriesReference
from pynwb.file import Subject
from pynwb.image import GrayscaleImage, ImageSeries
from pynwb.ophys import (
    CorrectedImageStack,
    DfOverF,
    Fluorescence,
    ImageSegmentation,
    MotionCorrection,
    OpticalChannel,
    TwoPhotonSeries,
)

FRAMES, ROWS, COLUMNS, REGIONS = 30, 14, 22, 3


def begun(**more):
    """An NWBFile as little as pynwb takes, with one imaging plane."""
    start = datetime(2021, 3, 4, 5, tzinfo=UTC)
    file = pynwb.NWBFile("of another lab", "its-identifier", start, **more)
    plane = file.create_imaging_plane(
        name="Plane",
        optical_channel=OpticalChannel(name="Green", description="green light", emission_lambda=520.0),
        description="layer 2/3",
        device=file.create_device("Scope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=15.0,
    )
    return file, plane


def frames(seed=0, count=FRAMES, kind=np.uint16):
    """Frames (time, row, column) with one thing that flickers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    light = 100 + 300 * (np.hypot(rows - 5, columns - 15) < 3) * rng.random((count, 1, 1))
    return rng.poisson(light).astype(kind)


def movie(name, plane, data, **clock):
    """A series that stores frames (time, row, column) as NWB wants them."""
    stored = H5DataIO(data.transpose(0, 2, 1), chunks=(7, 9, 5), compression="gzip", compression_opts=9)
    return TwoPhotonSeries(
        name=name, data=stored, imaging_plane=plane, unit="counts", **(clock or {"rate": 15.0, "starting_time": 2.5})
    )


def save(file, path):
    """Write with pynwb."""
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def plain(path, *names, **more):
    """A file with only movies of these names."""
    file, plane = begun(**more)
    for seed, name in enumerate(names or ("TwoPhotonSeries",)):
        file.add_acquisition(movie(name, plane, frames(seed)))
    return save(file, path)


def with_regions(path, subject=True):
    """A file with a movie, and regions with their traces, laid out as NeuroConv does."""
    mouse = Subject(subject_id="m1", species="Mus musculus", sex="F", age="P90D") if subject else None
    file, plane = begun(session_id="s1", subject=mouse)
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    _add_regions(file, plane)
    return save(file, path)


def _add_regions(file, plane):
    module = file.create_processing_module("ophys", "optical physiology processed data")
    masks = ImageSegmentation(name="ImageSegmentation")
    module.add(masks)
    table = masks.create_plane_segmentation(name="PlaneSegmentation", description="cells", imaging_plane=plane)
    images = np.zeros((REGIONS, COLUMNS, ROWS), np.float32)
    for region in range(REGIONS):
        images[region, 4 * region : 4 * region + 3, 2:5] = 0.5
        table.add_roi(image_mask=images[region])
    fluorescence, relative = Fluorescence(name="Fluorescence"), DfOverF(name="DfOverF")
    module.add([fluorescence, relative])
    values = np.random.default_rng(3).random((FRAMES, REGIONS)).astype(np.float32)
    times = np.arange(FRAMES) / 15
    for name, holder, clock in (
        ("RoiResponseSeries", fluorescence, times),
        ("Relative", relative, None),
    ):
        rows = table.create_roi_table_region(region=list(range(REGIONS)), description="all of them")
        clock = fluorescence["RoiResponseSeries"] if clock is None else clock
        holder.create_roi_response_series(name=name, data=values, rois=rows, unit="n.a.", timestamps=clock)
    return module


def rich(path):
    """A file with links, references and tables of every kind that pynwb writes."""
    subject = Subject(subject_id="m1", species="Mus musculus", sex="F", age="P90D")
    file, plane = begun(
        session_id="s1", subject=subject, keywords=["one", "two"], source_script="make.py", source_script_file_name="m"
    )
    raw = movie("TwoPhotonSeries", plane, frames())
    file.add_acquisition(raw)
    times = np.cumsum(np.random.default_rng(1).random(FRAMES))
    file.add_acquisition(movie("Irregular", plane, frames(1), timestamps=times))
    film = ImageSeries(
        name="Film", external_file=["film.avi"], starting_frame=[0], format="external", rate=1.0, num_samples=9
    )
    file.add_stimulus(film)
    module = _add_regions(file, plane)
    still = TwoPhotonSeries(
        name="corrected", data=frames(2).transpose(0, 2, 1), imaging_plane=plane, rate=15.0, unit="n.a."
    )
    moves = pynwb.TimeSeries(
        name="xy_translation", data=np.zeros((FRAMES, 2)), unit="pixels", timestamps=file.acquisition["Irregular"]
    )
    stack = CorrectedImageStack(name="Still", corrected=still, original=raw, xy_translation=moves)
    module.add(MotionCorrection(name="MotionCorrection", corrected_image_stacks=stack))
    pictures = [GrayscaleImage(name=name, data=np.arange(6.0).reshape(3, 2)) for name in "ab"]
    order = ImageReferences(name="order_of_images", data=pictures[::-1])
    file.add_acquisition(Images(name="Pictures", images=pictures, order_of_images=order))
    file.add_trial_column("light", "a word")
    file.add_trial_column("licks", "times", index=True)
    for start in (0.0, 3.0):
        file.add_trial(start_time=start, stop_time=start + 1, light="on", licks=[start, start + 0.5], timeseries=[raw])
    file.add_unit_column("quality", "a word")
    file.add_unit(spike_times=[0.1, 0.2], quality="good", waveform_mean=[1.0, 2.0, 3.0])
    file.add_unit(spike_times=[0.3], quality="bad", waveform_mean=[1.0, 2.0, 4.0])
    words = VectorData(name="word", description="words", data=["a", "b", "ä"])
    ragged = DynamicTable(
        name="ragged",
        description="a table",
        columns=[words, VectorIndex(name="word_index", data=[1, 3], target=words)],
        colnames=["word"],
    )
    file.add_analysis(ragged)
    file.add_scratch(np.arange(5), name="numbers", description="five")
    view = TimeSeriesReference(0, 4, raw)
    assert view.count == 4
    return save(file, path)


def odd(path, readable=False):
    """A file with what HDF5 can store and pynwb never writes; some of it even stops pynwb."""
    plain(path)
    text = h5py.string_dtype()
    with h5py.File(path, "r+") as file:
        raw = file["acquisition/TwoPhotonSeries"]
        group = file.create_group("general/odd")
        values = frames().astype(np.int32)
        group.create_dataset("lzf", data=values, chunks=(5, 6, 7), compression="lzf")
        group.create_dataset("bare", data=values, chunks=(5, 6, 7))
        group.create_dataset(
            "checked", data=values, chunks=(5, 6, 7), fletcher32=True, shuffle=True, compression="gzip"
        )
        group.create_dataset("scaled", data=values, chunks=(5, 6, 7), scaleoffset=0)
        group.create_dataset("nbit", data=values, chunks=(5, 6, 7), compression="gzip", compression_opts=1)
        group.create_dataset("partly", shape=(50, 6), chunks=(5, 6), maxshape=(None, 6), dtype="f4", fillvalue=7)[
            5:9
        ] = 1
        group.create_dataset("contiguous", data=values)
        group.create_dataset("big_endian", data=values.astype(">i2"), chunks=(5, 6, 7))
        group.create_dataset("half", data=values.astype(np.float16))
        group.create_dataset("yes", data=values > 100)
        group.create_dataset("scalar", data=np.float32(1.5))
        group["fixed"] = np.array([b"ab", b"c"], "S4")
        group.create_dataset("texts", data=["ä", ""] * 9, dtype=text, chunks=(7,), compression="gzip")
        group.create_dataset("no_rows", shape=(0, 3), maxshape=(None, 3), chunks=(4, 3), dtype="u1")
        group["colour"] = np.array([0, 2], h5py.enum_dtype({"red": 0, "green": 2}, basetype="u1"))
        group.create_dataset("ragged", (2,), h5py.vlen_dtype("i4"))[:] = [np.array([1, 2], "i4"), np.array([], "i4")]
        group["same"] = group["lzf"]
        group["soft"] = h5py.SoftLink("/acquisition/TwoPhotonSeries")
        pairs = np.zeros(2, [("at", h5py.ref_dtype), ("number", "i4")])
        pairs["at"], pairs["number"] = [raw.ref, group["lzf"].ref], [4, 5]
        group.create_dataset("pairs", data=pairs)
        group.create_dataset(
            "references", data=np.array([raw.ref, h5py.Reference()], h5py.ref_dtype), dtype=h5py.ref_dtype
        )
        region = group["lzf"].regionref[2:4, 1:3, ::2]
        group["time_axis"] = np.arange(len(values), dtype="f8")
        if not readable:
            group["time_axis"].make_scale("time")
            group["contiguous"].dims[0].attach_scale(group["time_axis"])
            group["soft_beside"] = h5py.SoftLink("lzf")
            group["dangling"] = h5py.SoftLink("/nowhere/at/all")
            group["same_group"] = raw
            group["nothing"] = h5py.Empty("f4")
            group.create_dataset("one_reference", data=raw.ref, dtype=h5py.ref_dtype)
            parts = np.array([region], h5py.regionref_dtype)
            group.create_dataset("parts", data=parts, dtype=h5py.regionref_dtype)
            group["kind"] = np.dtype([("x", "<u4"), ("weight", "<f8")])
            group.create_dataset("of_kind", data=np.array([(1, 0.5)], group["kind"].dtype), dtype=group["kind"])
        ragged = np.empty(1, object)
        ragged[0] = np.arange(3, dtype="i4")
        for holder in [group["bare"]] if readable else [group, group["bare"]]:  # pynwb writes those of groups anew
            holder.attrs["its_to"] = raw.ref
            holder.attrs.create("its_several", [raw.ref, file["general/devices/Scope"].ref], dtype=h5py.ref_dtype)
            holder.attrs["its_part"] = region
            holder.attrs["its_nothing"] = h5py.Empty("i2")
            holder.attrs["its_no_texts"] = np.array([], dtype=text)
            holder.attrs["its_fixed"] = np.bytes_(b"abc")
            holder.attrs["its_words"] = ["a", "ä"]
            holder.attrs["its_big"] = np.arange(3, dtype=">i8")
            holder.attrs["its_matrix"] = np.arange(6, dtype="f4").reshape(2, 3)
            holder.attrs["its_yes"] = True
            holder.attrs["its_colour"] = np.array(2, h5py.enum_dtype({"red": 0, "green": 2}, basetype="u1"))
            holder.attrs["its_pair"] = pairs[0]
            holder.attrs.create("its_triples", np.ones((2, 3)), dtype=np.dtype("(3,)f8"))
            holder.attrs["its_void"] = np.void(b"\x00\x01\x02")
            holder.attrs.create("its_ragged", ragged, dtype=h5py.vlen_dtype("i4"))
    return path


def found_in(path, ignore=()):
    """Every object of a file by its path: storage, values, attributes and links; references as paths."""
    found, first = {}, {}
    with h5py.File(path, "r") as file:
        _names(file, "/", first)

        def plainly(value):
            if isinstance(value, h5py.RegionReference):
                return ("part", first[_at(file[value])], file[value][value].tobytes()) if value else "null"
            if isinstance(value, h5py.Reference):
                return ("to", first[_at(file[value])]) if value else "null"
            if isinstance(value, h5py.Empty):
                return ("empty", str(value.dtype))
            if isinstance(value, np.ndarray | np.void) and value.dtype.names:
                return [(name, plainly(value[name])) for name in value.dtype.names]
            if isinstance(value, np.ndarray) and value.dtype.kind == "O":
                return [plainly(one) for one in value.ravel()]
            if isinstance(value, np.ndarray):
                return (str(value.dtype), value.shape, value.tobytes())
            return (str(value.dtype), value.tobytes()) if isinstance(value, np.generic) else value  # NaN is not NaN

        def attributes(item):
            kept = sorted(set(item.attrs) - {"object_id"})
            types = {key: item.attrs.get_id(key).get_type() for key in kept}
            return {key: (plainly(item.attrs[key]), _type(types[key]), item.attrs.get_id(key).shape) for key in kept}

        def look(group, path):
            found[path] = ("group", attributes(group))
            for name in group:
                place = f"{path.rstrip('/')}/{name}"
                link = group.get(name, getlink=True)
                if place in ignore:
                    continue
                if isinstance(link, h5py.SoftLink):
                    found[place] = ("soft", link.path)
                    continue
                item = group[name]
                if first[_at(item)] != place:
                    found[place] = ("hard", first[_at(item)])
                elif isinstance(item, h5py.Group):
                    look(item, place)
                elif isinstance(item, h5py.Datatype):
                    found[place] = ("type", _type(item.id), attributes(item))
                else:
                    values = item[()]
                    found[place] = ("values", plainly(values), _storage(item), attributes(item))

        look(file, "/")
    return found


def _names(group, path, first):
    first.setdefault(_at(group), path)
    for name in group:
        place = f"{path.rstrip('/')}/{name}"
        if isinstance(group.get(name, getlink=True), h5py.SoftLink) or _at(group[name]) in first:
            continue
        if isinstance(group[name], h5py.Group):
            _names(group[name], place, first)
        else:
            first[_at(group[name])] = place


def _at(item):
    return h5py.h5o.get_info(item.id).addr


def _type(kind):
    return hashlib.sha256(kind.encode()).hexdigest() if not kind.committed() else str(kind.dtype)


def _storage(item):
    plist = item.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    told = (str(item.dtype), item.shape, item.maxshape, item.chunks, filters, str(item.fillvalue), plist.get_layout())
    return (*told, _type(item.id.get_type()), raw_chunks(item))


def raw_chunks(item):
    """The stored bytes of each chunk, by its place."""
    if (
        item.chunks is None
        or h5py.check_vlen_dtype(item.dtype)
        or h5py.check_string_dtype(item.dtype)
        or item.dtype.hasobject
    ):
        return None
    places = [item.id.get_chunk_info(number).chunk_offset for number in range(item.id.get_num_chunks())]
    return {place: item.id.read_direct_chunk(place) for place in places}


def object_ids(path):
    """Every object id of a file, by its path."""
    ids = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: ids.update({name: item.attrs["object_id"]} if "object_id" in item.attrs else {})
        )
        ids["/"] = file.attrs["object_id"]
    return ids


def sha256(path):
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
