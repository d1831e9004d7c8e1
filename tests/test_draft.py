"""What a missing rate asks for: a flag for one recording, an entry of its own among many."""

import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge.batch.run import convert_all


@pytest.fixture
def lab(tmp_path):
    """A folder with a TIFF that states its rate and one that does not."""
    values = np.random.default_rng(3).integers(0, 999, (12, 9, 14)).astype(np.uint16)
    for name in ("m1", "m2"):
        (tmp_path / "lab" / name).mkdir(parents=True)
    tifffile.imwrite(tmp_path / "lab/m1/norate.tif", values, photometric="minisblack")
    meta = {"axes": "TYX", "finterval": 0.1, "unit": "um"}
    tifffile.imwrite(tmp_path / "lab/m2/rate.tif", values, imagej=True, metadata=meta)
    return tmp_path / "lab"


def test_one_recording_gets_its_rate_by_a_flag(lab, tmp_path):
    with pytest.raises(nwbridge.MissingMetadata, match=r"give it with --set Ophys.TwoPhotonSeries.rate=HZ, or give --"):
        nwbridge.convert(lab / "m1/norate.tif", tmp_path / "out.nwb")


@pytest.mark.parametrize("dry_run", [True, False])
def test_one_of_many_gets_its_rate_by_an_entry_of_its_own(lab, tmp_path, dry_run):
    result = convert_all(lab, tmp_path / "out", workers=1, dry_run=dry_run, report=False)
    (line,) = [line for line in result.lines if line["job"] == "m1/norate.tif"]
    assert line["lacks" if dry_run else "message"] == (
        "the rate of TwoPhotonSeries is stated nowhere and NWB requires it: give it to this recording alone, as a "
        "value in the column Ophys.TwoPhotonSeries.rate of a table, or in an entry of Sessions: "
        "- path: this one's, Ophys: {TwoPhotonSeries: [{rate: HZ}]} (--set and --rate speak of all recordings)"
    )


def test_an_entry_as_it_is_advised_leaves_the_others_rates_alone(lab, tmp_path):
    (tmp_path / "lab.yaml").write_text(
        "Sessions:\n- path: m1/norate.tif\n  Ophys: {TwoPhotonSeries: [{rate: 30}]}\n", "utf-8"
    )
    result = convert_all(lab, tmp_path / "out", metadata=tmp_path / "lab.yaml", workers=1, report=False)
    rates = {}
    for line in result.lines:
        (rates[line["job"]],) = [f["value"] for f in line["fields"] if f["key"] == "Ophys.TwoPhotonSeries.rate"]
    assert rates == {"m1/norate.tif": 30, "m2/rate.tif": pytest.approx(10)}
