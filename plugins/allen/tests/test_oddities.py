"""What is worth knowing of a recording is said with its numbers, and nothing else is."""

import numpy as np
import pytest

from nwbridge_allen import describe


def said(path):
    findings = describe(path, None).findings
    assert {(finding.where, finding.check) for finding in findings} <= {(path.name, "allen")}
    return [finding.message for finding in findings]


def test_has_nothing_to_say_of_a_sound_recording(recording):
    assert said(recording()) == []


def test_tells_how_long_imaging_and_voltage_are_where_they_disagree(recording, values):
    path = recording(dff=values["dff"][:30])
    assert said(path) == ["dff lasts 0.947685 s (30 × dto), ephys_raw 1.8952 s (4738 × dte)"]


@pytest.mark.parametrize("frames", [59, 60, 61], ids=["a frame less", "as long", "a frame more"])
def test_lets_imaging_and_voltage_differ_by_a_frame(recording, values, frames):
    assert said(recording(dff=np.resize(values["dff"], frames))) == []


def test_tells_that_the_two_voltages_differ_in_length(recording, values):
    path = recording(ephys_baseline_subtracted=values["ephys_raw"][:-7])
    assert said(path) == ["ephys_raw has 4738 samples, ephys_baseline_subtracted 4731"]


@pytest.mark.parametrize(("time", "first"), [(1.8953, "1.8953"), (-0.01, "-0.01"), (8004.0, "8004")])
def test_tells_of_spikes_beyond_the_recording(recording, values, time, first):
    spikes = np.sort(np.append(values["sptimes"], time))
    assert said(recording(sptimes=spikes)) == [
        f"1 of 7 spike times lie outside the 1.8952 s of ephys_raw, the first at {first} s"
    ]


def test_takes_spikes_at_the_very_start_and_end(recording, values):
    assert said(recording(sptimes=np.concatenate([[0.0], values["sptimes"], [4738 * 4e-4]]))) == []


def test_tells_of_spike_times_in_milliseconds(recording, values):
    (text,) = said(recording(sptimes=values["sptimes"] * 1000))
    assert text == "6 of 6 spike times lie outside the 1.8952 s of ephys_raw, the first at 200 s"


def test_tells_of_values_that_are_no_numbers(recording, values):
    dff = values["dff"].copy()
    dff[[3, 5]] = np.nan, -np.inf
    assert said(recording(dff=dff)) == ["dff holds 2 NaN or infinite among 60 values"]


@pytest.mark.parametrize(("greatest", "is_said"), [(50, False), (-51.5, True), (250, True)])
def test_tells_of_fluorescence_in_percent(recording, values, greatest, is_said):
    dff = np.append(values["dff"][:-1], greatest)
    assert said(recording(dff=dff)) == [f"dff reaches {abs(greatest)}; expected ΔF/F as a fraction"] * is_said


def test_tells_of_both_periods_in_milliseconds(recording, values):
    (text,) = said(recording(dto=values["dto"] * 1000, dte=values["dte"] * 1000))
    assert text == "dto is 31.5895; expected a sampling period in seconds, some 0.03"


@pytest.mark.parametrize("threshold", [5e-4, -5e-4])
def test_tells_of_a_voltage_that_is_not_in_the_threshold_s_unit(recording, values, threshold):
    subtracted = values["ephys_baseline_subtracted"] * 1000
    (text,) = said(recording(ephys_baseline_subtracted=subtracted, quiroga=threshold))
    exceeded = np.median(np.abs(subtracted))
    assert text == (
        f"half of the first samples of ephys_baseline_subtracted exceed {exceeded:.3g}, and the spike threshold "
        f"quiroga is {threshold}"
    )


def test_tells_of_a_spike_that_stands_twice(recording, values):
    spikes = np.repeat(values["sptimes"], [1, 2, 1, 1, 1, 1])
    assert said(recording(sptimes=spikes)) == ["1 of 7 spike times are not later than the one before"]


@pytest.mark.parametrize("threshold", [0.5, np.nan, 0.0, np.inf])
def test_tells_of_a_threshold_that_is_no_voltage_of_spikes(recording, threshold):
    path = recording(quiroga=threshold)
    (text,) = said(path)
    assert text.startswith(f"quiroga is {threshold}; expected the spike threshold in volts")
    (units,) = describe(path, None).elements[-1:]
    np.testing.assert_array_equal(units["detection_threshold"].values, [threshold])


def test_tells_that_there_is_no_threshold(recording):
    path = recording(quiroga=None)
    assert said(path) == ["the file has neither quiroga nor quiroma: the spike threshold is unknown"]
    assert "detection_threshold" not in describe(path, None).elements[-1]


@pytest.mark.parametrize("genotype", [None, np.bytes_(b""), "  "])
def test_tells_that_there_is_no_genotype(recording, genotype):
    path = recording(genotype=genotype)
    assert said(path) == ["the file has no genotype: the indicator is unknown"]
    session = describe(path, None)
    assert (session.subject.genotype, session.subject.description) == (None, None)
    assert session.elements[0].plane.indicator is None


def test_tells_of_a_genotype_whose_indicator_is_not_known(recording):
    path = recording(genotype="Rbp4-Cre;Ai148")
    (text,) = said(path)
    assert text.startswith("genotype is 'Rbp4-Cre;Ai148', which leaves the indicator unknown")
    session = describe(path, None)
    assert session.subject.genotype == "Rbp4-Cre;Ai148"
    assert session.elements[0].plane.indicator is None


def test_names_keys_that_it_does_not_carry(recording):
    assert said(recording(tid=7, aid=8)) == ["not carried, because they are no keys of Dataset II: aid, tid (2 in all)"]
