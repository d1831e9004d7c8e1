"""Every form of the values is read; what is no whole recording of Dataset II is refused in one clear line."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadSource
from nwbridge_allen import describe, detect
from nwbridge_allen.content import read

GENOTYPE = "Emx1-IRES-Cre;Camk2a-tTA;Ai94"


def refusal(path):
    with pytest.raises(BadSource) as caught:
        describe(path, None)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


# forms that are read


@pytest.mark.parametrize(
    "genotype",
    [
        np.bytes_(GENOTYPE),
        GENOTYPE,
        np.array([np.bytes_(GENOTYPE)]),
        np.array([[np.bytes_(GENOTYPE)]]),
        np.array([GENOTYPE], dtype=h5py.string_dtype()),
    ],
    ids=["bytes", "text", "array of one bytes", "matrix of one bytes", "array of one text"],
)
def test_reads_a_genotype_of_any_form(recording, genotype):
    assert read(recording(genotype=genotype)).genotype == GENOTYPE


@pytest.mark.parametrize("key", ["quiroga", "quiroma"])
def test_takes_the_threshold_by_either_name(recording, key):
    content = read(recording(**{"quiroga": None, key: 3e-4}))
    assert (content.threshold, content.threshold_key) == (3e-4, key)


def test_takes_a_threshold_that_stands_twice_if_it_is_one(recording):
    assert read(recording(quiroma=5e-4)).threshold == 5e-4


def test_takes_a_threshold_that_is_twice_unknown(recording):
    assert np.isnan(read(recording(quiroga=np.nan, quiroma=np.nan)).threshold)


@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8"])
def test_takes_numbers_of_any_order_and_spikes_as_nwb_holds_them(recording, values, kind):
    content = read(recording(dff=values["dff"].astype(kind), sptimes=values["sptimes"].astype(kind)))
    np.testing.assert_array_equal(content.dff, values["dff"].astype(kind))
    np.testing.assert_array_equal(content.spikes, values["sptimes"].astype(kind))
    assert (content.dff.dtype, content.spikes.dtype) == (np.dtype(kind[1:]), np.dtype(np.float64))


def test_refuses_a_key_that_is_no_text(recording):
    path = recording(dff=None)
    with h5py.File(path, "a") as file:
        file[b"df\xff"] = 1
    assert "lacks dff; it has df\ufffd, dte" in refusal(path)


def test_takes_whole_numbers_as_scalars(recording):
    assert read(recording(dto=np.int64(1))).dto == 1.0


def test_follows_a_link_within_the_file(recording, values):
    path = recording(ephys_raw=None)
    with h5py.File(path, "a") as file:
        file["kept/elsewhere"] = values["ephys_raw"]
        file["ephys_raw"] = h5py.SoftLink("/kept/elsewhere")
    assert read(path).raw.shape == values["ephys_raw"].shape


# what is refused


@pytest.mark.parametrize("key", ["dff", "dte", "dto", "ephys_raw", "ephys_baseline_subtracted", "sptimes"])
def test_names_the_key_that_is_missing_and_those_that_are_there(recording, key):
    path = recording(**{key: None})
    assert detect(path) is not None, "the user gets the words of this source"
    text = refusal(path)
    assert text.startswith(f"100001.h5 lacks {key}; it has ")
    assert "genotype" in text


def test_names_a_key_that_was_renamed(recording, values):
    text = refusal(recording(sptimes=None, spike_times=values["sptimes"]))
    assert text.startswith("100001.h5 lacks sptimes; it has dff, ")
    assert "spike_times" in text


@pytest.mark.parametrize(
    "keys", [("Vmfd", "spk", "pixel_list", "dte", "dto"), ("Vmfd", "spk"), ("spk", "dte"), ("Voltage", "dte")], ids=str
)
def test_recognizes_dataset_i_and_refuses_it_in_words(tmp_path, keys):
    path = tmp_path / "102932.h5"
    with h5py.File(path, "w") as file:
        for key in keys:
            file[key] = np.zeros((1, 10))
    assert detect(path) == "102932.h5 has keys of Dataset I"
    with pytest.raises(
        BadSource, match=r"102932\.h5 is of Dataset I .*which is not read; expected a file of Dataset II"
    ):
        nwbridge.convert(path, tmp_path / "out.nwb")


def test_refuses_a_mixture_of_both_sets(recording):
    assert "100001.h5 is of Dataset I (it has Vmfd)" in refusal(recording(Vmfd=np.zeros(10)))


@pytest.mark.parametrize("part", range(10))
def test_refuses_a_file_that_is_cut_off(recording, tmp_path, part):
    path = recording()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * part // 10 + (part == 0)])
    refusal(path)
    with pytest.raises(BadSource, match=r"100001\.h5"):
        nwbridge.convert(path, tmp_path / "out.nwb", source="allen")
    assert not (tmp_path / "out.nwb").exists()


@pytest.mark.parametrize("key", ["dff", "ephys_raw", "ephys_baseline_subtracted", "sptimes"])
@pytest.mark.parametrize("shape", [(), (2, 3), (1, 2, 3), (6, 1, 1)], ids=str)
def test_refuses_arrays_of_wrong_rank(recording, key, shape):
    text = refusal(recording(**{key: np.full(shape, 1e-3)}))
    assert key in text
    assert "single value" in text or f"has the shape {shape}" in text


@pytest.mark.parametrize("key", ["dff", "ephys_raw", "ephys_baseline_subtracted"])
@pytest.mark.parametrize("shape", [(0,), (1, 0), (0, 1)], ids=str)
def test_refuses_empty_arrays(recording, key, shape):
    assert f"{key} is empty; expected" in refusal(recording(**{key: np.empty(shape)}))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ephys_raw", np.arange(4738, dtype=np.int16), "ephys_raw holds int16; expected volts as float64 or float32"),
        ("dff", np.arange(60), "dff holds int64; expected ΔF/F as float64 or float32"),
        ("sptimes", np.array([500, 900]), "sptimes holds int64; expected seconds as float64 or float32"),
        ("dff", np.ones(60, np.float16), "dff holds float16; expected"),
        ("dff", np.ones(60, np.complex128), "dff holds complex128; expected"),
        ("ephys_baseline_subtracted", np.full(9, b"1.5"), "ephys_baseline_subtracted holds |S3; expected volts"),
        ("dto", "0.03", "dto is '0.03'; expected one number, in seconds"),
        ("dto", True, "dto is 'True'; expected one number, in seconds"),
        ("dto", np.array([0.03, 0.03]), "dto has the shape (2,); expected one number, in seconds"),
        ("dte", np.empty(0), "dte has the shape (0,); expected one number, in seconds"),
        ("dte", h5py.Empty("f8"), "dte holds no values; expected a data set"),
        ("quiroga", np.zeros(3), "quiroga has the shape (3,); expected one number, in volts"),
        ("genotype", np.array([b"a", b"b"]), "genotype has the shape (2,); expected one text"),
        ("genotype", 7, "genotype is '7'; expected one text"),
        ("genotype", np.bytes_(b"\xff\xfe"), "genotype is b'\\xff\\xfe'; expected text in UTF-8"),
        ("genotype", np.bytes_(b"A" * 5000), "genotype is 5,000 bytes long; expected one text"),
        ("genotype", "A" * 5000, f"genotype is {'A' * 40!r}; expected one text"),
    ],
)
def test_refuses_values_of_another_type(recording, key, value, message):
    assert message in refusal(recording(**{key: value}))


@pytest.mark.parametrize("key", ["dte", "dto"])
@pytest.mark.parametrize("value", [0.0, -0.03, np.nan, np.inf, -np.inf])
def test_refuses_a_period_that_is_none(recording, key, value):
    assert f"{key} is {value}; expected a sampling period in seconds, more than 0" in refusal(recording(**{key: value}))


@pytest.mark.parametrize(("dte", "dto"), [(0.0315895, 4e-4), (40_000.0, 30.0), (0.03, 0.03)], ids=str)
def test_refuses_periods_that_are_exchanged_or_rates(recording, dte, dto):
    text = refusal(recording(dte=dte, dto=dto))
    assert f"dte is {dte} s and dto {dto} s" in text
    assert "exchanged, or rates?" in text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_spike_times_that_are_no_times(recording, values, value):
    spikes = values["sptimes"].copy()
    spikes[4] = value
    assert f"sptimes holds 1 of 6 values that are no time, the first ({value}) at 4" in refusal(
        recording(sptimes=spikes)
    )


def test_refuses_more_spikes_than_samples(recording):
    text = refusal(recording(sptimes=np.linspace(0, 1.8, 4739)))
    assert "4,739 spike times in 4,738 samples of ephys_raw" in text


def test_refuses_two_thresholds_that_differ(recording):
    assert "has two spike thresholds, quiroga 0.0005 and quiroma 0.0004" in refusal(recording(quiroma=4e-4))


@pytest.mark.parametrize("key", ["dff", "ephys_raw", "dte", "genotype"])
def test_refuses_a_group_where_values_are_expected(recording, key):
    path = recording(**{key: None})
    with h5py.File(path, "a") as file:
        file.create_group(key)
    text = refusal(path)
    assert key in text
    assert "data set" in text


@pytest.mark.parametrize("key", ["dff", "ephys_raw", "dte"])
def test_refuses_a_link_to_another_file_and_does_not_follow_it(recording, tmp_path, key):
    path = recording(**{key: None})
    with h5py.File(path, "a") as file:
        file[key] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), key)
    assert detect(path) is not None
    assert f"/{key} is a link into another file" in refusal(path)


@pytest.mark.parametrize("key", ["dff", "ephys_raw", "genotype"])
def test_refuses_a_link_that_leads_nowhere(recording, key):
    path = recording(**{key: None})
    with h5py.File(path, "a") as file:
        file[key] = h5py.SoftLink("/absent")
    assert key in refusal(path)


def test_refuses_a_file_that_claims_more_than_it_holds(recording):
    path = recording(dff=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("dff", (10**11,), "f8", chunks=(1 << 20,))
    assert "dff claims 800,000,000,000 bytes and stores 0" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x89HDF\r\n\x1a\n"], ids=str)
def test_refuses_what_is_no_hdf5(tmp_path, content):
    path = tmp_path / "103991.h5"
    path.write_bytes(content)
    assert detect(path) is None
    refusal(path)


def test_refuses_a_path_where_nothing_is(tmp_path):
    assert "103991.h5 is not a file; expected an HDF5 file of Dataset II" in refusal(tmp_path / "103991.h5")
