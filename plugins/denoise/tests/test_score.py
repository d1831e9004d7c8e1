"""The score beside its definitions written out with NumPy, and scikit-image; for NWB files and TIFFs."""

from dataclasses import fields

import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import BadOption, BadSource
from nwbridge_denoise import ScoreOptions, register_scores
from nwbridge_denoise.score import ssim

RANDOM = np.random.default_rng(21)
PHASE = np.mgrid[:30, :17, :23] / np.array([3, 4, 5])[:, None, None, None]
TRUTH = (40 + 10 * np.sin(PHASE).sum(axis=0)).astype(np.float32)
NOISY = RANDOM.poisson(TRUTH).astype(np.uint16)


def write(path, values):
    tifffile.imwrite(path, values, photometric="minisblack")
    return path


def nwb(folder, values, name="movie"):
    source, out = write(folder / f"{name}.tif", values), folder / f"{name}.nwb"
    nwbridge.convert(source, out, options={"kind": "two-photon", "rate": 20.0}, verify=False)
    return out


def score(truth, result, **options):
    (found,) = register_scores()
    return found.run(truth, result, ScoreOptions(**options))


def expected(r, x, span):
    r, x = r.astype(float), x.astype(float)
    error = (r - x) ** 2
    changing, of_x = r - r.mean(axis=0), x - x.mean(axis=0)
    return {
        "snr_db": np.mean(10 * np.log10((r**2).sum(axis=(1, 2)) / error.sum(axis=(1, 2)))),
        "trace_snr_db": np.mean(10 * np.log10((r**2).sum(axis=0) / error.sum(axis=0))),
        "tsnr_db": 10 * np.log10((changing**2).sum() / ((changing - of_x) ** 2).sum()),
        "psnr_db": 10 * np.log10(span**2 / error.mean()),
        "pearson": np.corrcoef(r.ravel(), x.ravel())[0, 1],
        "brightness": x.mean() / r.mean(),
    }


def test_every_measure_is_its_definition(tmp_path):
    metrics = pytest.importorskip("skimage.metrics")
    found = score(write(tmp_path / "truth.tif", TRUTH), write(tmp_path / "noisy.tif", NOISY))
    (row,) = found.rows
    span = np.subtract(*np.percentile(TRUTH, [97, 3]))
    for name, value in expected(TRUTH, NOISY, span).items():
        assert row[name] == pytest.approx(value, rel=1e-4, abs=0.005), name
    similar = [
        metrics.structural_similarity(a, b.astype(np.float32), data_range=span)
        for a, b in zip(TRUTH, NOISY, strict=True)
    ]
    assert row["ssim"] == pytest.approx(np.mean(similar), abs=1e-4)
    assert {"snr_db", "trace_snr_db", "tsnr_db", "psnr_db", "ssim", "range"} <= set(found.conventions)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_ssim_is_that_of_scikit_image(scale):
    metrics = pytest.importorskip("skimage.metrics")
    one, other = TRUTH[:4].astype(float) * scale, NOISY[:4].astype(float) * scale
    span = 30 * scale
    theirs = [metrics.structural_similarity(a, b, data_range=span) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(ssim(one, other, span), theirs, rtol=1e-9)


def test_a_fit_undoes_gain_and_offset(tmp_path):
    truth = write(tmp_path / "truth.tif", TRUTH)
    other = write(tmp_path / "other.tif", (NOISY * 7 + 100).astype(np.float32))
    (plain,), (fitted,) = score(truth, other).rows, score(truth, other, fit=True).rows
    gain, offset = np.polyfit(NOISY.ravel().astype(float), TRUTH.ravel().astype(float), 1)
    span = np.subtract(*np.percentile(TRUTH, [97, 3]))
    wanted = expected(TRUTH, gain * NOISY + offset, span)
    for name in ("snr_db", "trace_snr_db", "tsnr_db", "psnr_db"):
        assert fitted[name] == pytest.approx(wanted[name], rel=1e-4, abs=0.005), name
        assert fitted[name] > plain[name]
    assert fitted["pearson"] == plain["pearson"]
    assert (
        fitted["brightness"] == plain["brightness"] == pytest.approx((NOISY * 7 + 100).mean() / TRUTH.mean(), rel=1e-5)
    )


def test_every_movie_of_a_processed_file_is_scored(tmp_path):
    path, out = nwb(tmp_path, NOISY), tmp_path / "denoised.nwb"
    nwbridge.process(path, out, "denoise", options={"method": "gaussian"})
    rows = score(write(tmp_path / "truth.tif", TRUTH), out).rows
    assert [row["movie"] for row in rows] == ["TwoPhotonSeries", "DenoisedTwoPhotonSeries"]
    assert rows[1]["snr_db"] > rows[0]["snr_db"] + 3
    (row,) = score(path, out, movie="DenoisedTwoPhotonSeries").rows
    assert row["movie"] == "DenoisedTwoPhotonSeries"
    (row,) = score(out, out, movie="TwoPhotonSeries").rows  # what was acquired is the reference
    assert row["pearson"] == pytest.approx(1)


def test_a_movie_against_itself_has_no_snr_and_is_said_to_be_the_same(tmp_path):
    truth = write(tmp_path / "truth.tif", TRUTH)
    found = score(truth, truth)
    assert (found.rows[0]["snr_db"], found.rows[0]["tsnr_db"], found.rows[0]["psnr_db"]) == (None, None, None)
    assert found.rows[0]["ssim"] == pytest.approx(1)
    assert "equals the reference" in found.findings[0].message


def test_movies_of_another_size_cannot_be_compared(tmp_path):
    truth, other = write(tmp_path / "truth.tif", TRUTH), write(tmp_path / "other.tif", NOISY[:-1])
    with pytest.raises(BadSource, match=r"other.tif has .* \(29, 17, 23\); the reference .* is \(30, 17, 23\)"):
        score(truth, other)


def test_a_frame_that_is_not_finite_is_named(tmp_path):
    values = NOISY.astype(np.float32)
    values[11, 2, 2] = np.nan
    with pytest.raises(BadSource, match="frame 11 holds values that are not finite"):
        score(write(tmp_path / "truth.tif", TRUTH), write(tmp_path / "noisy.tif", values))


@pytest.mark.parametrize("options", [{"reference": "Other"}, {"movie": "Other"}])
def test_a_movie_that_is_not_there_is_refused(tmp_path, options):
    truth = write(tmp_path / "truth.tif", TRUTH)
    with pytest.raises(BadOption, match="has no movie Other"):
        score(truth, truth, **options)


def test_a_tiny_field_of_view_has_no_ssim(tmp_path):
    truth, noisy = write(tmp_path / "truth.tif", TRUTH[:, :5]), write(tmp_path / "noisy.tif", NOISY[:, :5])
    (row,) = score(truth, noisy).rows
    assert row["ssim"] is None
    assert row["snr_db"] == pytest.approx(expected(TRUTH[:, :5], NOISY[:, :5], 1)["snr_db"], rel=1e-5)


def span_of(found):
    return float(found.conventions["range"].split(":")[0])


def test_integers_that_lie_close_together_far_from_0_are_scored(tmp_path):
    reference, other = RANDOM.integers(30000, 30060, (2, 20, 17, 23)).astype(np.uint16)
    found = score(write(tmp_path / "truth.tif", reference), write(tmp_path / "other.tif", other))
    span = np.subtract(*np.percentile(reference, [97, 3]))
    assert span_of(found) == pytest.approx(span)
    for name, value in expected(reference, other, span).items():
        assert found.rows[0][name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("hot", [1e8, -1e8])
def test_a_hot_pixel_leaves_the_range_as_it_is_and_everything_elses_similarity(tmp_path, hot):
    metrics = pytest.importorskip("skimage.metrics")
    reference, other = TRUTH.copy(), NOISY.astype(np.float32)
    reference[3, 4, 5] = other[3, 4, 5] = hot
    found = score(write(tmp_path / "truth.tif", reference), write(tmp_path / "other.tif", other))
    span = np.subtract(*np.percentile(reference.astype(float), [97, 3]))
    assert span_of(found) == pytest.approx(span, rel=1e-5)
    error = (reference.astype(float) - other) ** 2  # none at the hot pixel
    assert found.rows[0]["psnr_db"] == pytest.approx(10 * np.log10(span**2 / error.mean()), abs=1e-4)
    maps = [
        metrics.structural_similarity(a, b, data_range=span, full=True)[1] for a, b in zip(TRUTH, other, strict=True)
    ]
    similar = np.stack(maps)[:, 3:-3, 3:-3]
    similar[3, :5, :6] = 1  # of windows with the hot pixel
    assert found.rows[0]["ssim"] == pytest.approx(similar.mean(), abs=1e-3)


@pytest.mark.parametrize("fit", [False, True])
def test_frames_and_pixels_that_equal_the_reference_are_left_out_of_means_and_counted(tmp_path, fit):
    other = NOISY.astype(np.float32)
    other[[2, 9]] = TRUTH[[2, 9]]
    other[:, 4, 5] = TRUTH[:, 4, 5]
    found = score(write(tmp_path / "truth.tif", TRUTH), write(tmp_path / "other.tif", other), fit=fit)
    (row,) = found.rows
    if fit:  # which changes them
        assert found.findings == ()
        assert row["snr_db"] > 10
        return
    error = (TRUTH.astype(float) - other) ** 2
    frames, pixels = error.any(axis=(1, 2)), error.any(axis=0)
    snr = 10 * np.log10((TRUTH.astype(float) ** 2).sum(axis=(1, 2))[frames] / error.sum(axis=(1, 2))[frames])
    traces = 10 * np.log10((TRUTH.astype(float) ** 2).sum(axis=0)[pixels] / error.sum(axis=0)[pixels])
    assert (row["snr_db"], row["trace_snr_db"]) == pytest.approx((snr.mean(), traces.mean()), rel=1e-9)
    assert [finding.message for finding in found.findings] == [
        "2 of 30 frames are equal in TwoPhotonSeries and the reference, and left out of snr_db",
        "1 of 391 pixels is equal in TwoPhotonSeries and the reference, and left out of trace_snr_db",
    ]


def test_dark_frames_of_the_reference_are_said_to_be_dark(tmp_path):
    reference = TRUTH.copy()
    reference[7] = 0
    found = score(write(tmp_path / "truth.tif", reference), write(tmp_path / "other.tif", NOISY))
    assert [finding.message for finding in found.findings] == [
        "1 of 30 frames is dark in the reference, and left out of snr_db"
    ]


def test_the_reference_is_not_compared_with_itself_where_something_else_is_there(tmp_path):
    path, out = nwb(tmp_path, NOISY), tmp_path / "denoised.nwb"
    nwbridge.process(path, out, "denoise", options={"method": "gaussian"})
    for truth in (out, path):  # in the same file, or another that holds the same series
        found = score(truth, out)
        assert [row["movie"] for row in found.rows] == ["DenoisedTwoPhotonSeries"]
        assert found.findings == ()
        assert found.conventions["reference"] == "TwoPhotonSeries; not compared with itself, TwoPhotonSeries"


def test_its_options_use_the_words_of_the_command():
    helps = {field.name: field.metadata for field in fields(ScoreOptions)}
    assert "the movie of TRUTH" in str(helps["reference"])
    assert "the movie of RESULT" in str(helps["movie"])
