"""The challenge's scores: the golden ones, the definition written out, every form of truth and result."""

import itertools
import json
import math
import shutil
import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import ImageSegmentation, OpticalChannel, TwoPhotonSeries
from scipy.optimize import linear_sum_assignment

import nwbridge
from nwbridge import BadOption, BadSource
from nwbridge_neurofinder import example

SHAPE = (40, 52)  # rows, columns
FIVE = ("recall", "precision", "combined", "inclusion", "exclusion")


def score(truth, result, **options):
    return nwbridge.score("neurofinder", truth, result, options=options)


def one(truth, result, **options):
    """The row of the only data set."""
    (row,) = score(truth, result, **options).rows
    return row


def square(row, column, size=3):
    return [[row + r, column + c] for r in range(size) for c in range(size)]


def save(path, regions, key="coordinates"):
    path.write_text(json.dumps([{key: pixels} for pixels in regions]))
    return path


def submission(path, key="regions", **sets):
    content = [
        {"dataset": name.replace("_", "."), key: [{"coordinates": pixels} for pixels in regions]}
        for name, regions in sets.items()
    ]
    path.write_text(json.dumps(content))
    return path


def defined(truth, result, threshold):
    """The definition, word for word, with Python's own sets and sums."""

    def centre(pixels):
        return [sum(axis) / len(pixels) for axis in zip(*pixels, strict=True)]

    free, pairs = list(range(len(result))), []
    for pixels in truth:
        away = {n: math.dist(centre(pixels), centre(result[n])) for n in free}
        nearest = min(away, key=away.get, default=None)
        if nearest is not None and away[nearest] < threshold:
            pairs.append(({tuple(p) for p in pixels}, {tuple(p) for p in result[nearest]}))
            free.remove(nearest)
    recall, precision = len(pairs) / len(truth), len(pairs) / len(result)
    return {
        "recall": recall,
        "precision": precision,
        "combined": 2 * recall * precision / (recall + precision) if pairs else 0,
        "inclusion": sum(len(a & b) / len(a) for a, b in pairs) / len(pairs) if pairs else 0,
        "exclusion": sum(len(a & b) / len(b) for a, b in pairs) / len(pairs) if pairs else 0,
    }


def cells(seed, count, size=90):
    """Regions of several shapes and sizes, many of them overlapping."""
    rng = np.random.default_rng(seed)
    for row, column in rng.integers(0, size, (count, 2)).tolist():
        own = square(row, column, int(rng.integers(2, 7)))
        yield [own[n] for n in rng.permutation(len(own))[: int(rng.integers(2, len(own) + 1))]]


# the golden scores


@pytest.mark.parametrize("threshold", ["3", "5", "6", "10", "inf"])
def test_reproduces_the_golden_scores_of_a_crop_to_the_digit(samples, threshold):
    folder = samples / "neurofinder" / "eval"
    golden = json.loads((folder / "golden_scores.json").read_text())[f"gt_crop vs caiman_crop th={threshold}"]
    truth, result = (folder / f"{name}_crop_y192_x192_128.json" for name in ("gt", "caiman"))
    row = one(truth, result, threshold=threshold)
    assert {name: round(row[name], 4) for name in FIVE} == {name: golden[name] for name in FIVE}
    assert (row["truth"], row["submitted"], row["matched"]) == (golden["n_a"], golden["n_b"], golden["matched"])


def test_reproduces_the_golden_scores_of_the_package_s_example_at_its_own_threshold(samples):
    folder = samples / "neurofinder" / "eval"
    golden = json.loads((folder / "golden_scores.json").read_text())["a.json vs b.json (repo example) th=5"]
    scored = score(folder / "a.json", folder / "b.json")
    assert {name: round(scored.rows[0][name], 4) for name in FIVE} == {name: golden[name] for name in FIVE}
    assert scored.conventions["threshold_px"] == 5
    assert "states no size of a pixel" in scored.conventions["threshold_from"]


def test_scores_a_real_submission_against_a_real_data_set_in_every_form(samples, tmp_path):
    folder = samples / "neurofinder"
    result = folder / "submissions" / "team_lovelace_submission.json"
    nwb = tmp_path / "truth.nwb"
    nwbridge.convert(folder / "neurofinder.00.00", nwb)
    truths = [
        folder / "neurofinder.00.00",
        folder / "neurofinder.00.00" / "regions" / "regions.json",
        folder / "neurofinder.00.00_legacy" / "sources" / "sources.json",
        nwb,
    ]
    rows = [one(truth, result, dataset="00.00.test", threshold=6) for truth in truths]
    content = json.loads(truths[1].read_text())
    sent = next(entry for entry in json.loads(result.read_text()) if entry["dataset"] == "00.00.test")
    expected = defined([r["coordinates"] for r in content], [r["coordinates"] for r in sent["regions"]], 6)
    assert rows[0] == pytest.approx(rows[0] | expected)
    assert rows == [rows[0]] * 4
    stated = [score(truth, result, dataset="00.00.test").conventions["threshold_px"] for truth in truths]
    assert stated == [6, 5, 5, 6]  # round(5 · 1.15) where the size of a pixel is known


# the definition


@pytest.mark.parametrize("threshold", [1, 2.5, 5, 12, "inf"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_the_definition_written_out(tmp_path, seed, threshold):
    truth, result = list(cells(seed, 60)), list(cells(seed + 10, 75))
    row = one(save(tmp_path / "t.json", truth), save(tmp_path / "r.json", result), threshold=threshold)
    assert {name: row[name] for name in FIVE} == pytest.approx(defined(truth, result, float(threshold)))


def test_a_centre_at_exactly_the_threshold_does_not_match(tmp_path):
    truth, result = save(tmp_path / "t.json", [square(0, 0)]), save(tmp_path / "r.json", [square(3, 4)])
    assert one(truth, result, threshold=5)["matched"] == 0
    assert one(truth, result, threshold=5.001)["matched"] == 1


def test_an_earlier_true_region_takes_what_is_nearer_to_a_later_one(tmp_path):
    truth = save(tmp_path / "t.json", [square(0, 0), square(0, 3)])
    result = save(tmp_path / "r.json", [square(0, 4), square(0, 40)])
    assert one(truth, result, threshold=5)["matched"] == 1
    reverse = save(tmp_path / "u.json", [square(0, 3), square(0, 0)])
    assert [one(t, result, threshold=5)["inclusion"] for t in (truth, reverse)] == [0, pytest.approx(6 / 9)]


@pytest.mark.parametrize("threshold", [2.5, 6, "inf"])
@pytest.mark.parametrize(("many", "others"), [(60, 75), (75, 60), (40, 40)])
def test_optimal_matching_makes_the_pairs_that_scipy_makes(tmp_path, many, others, threshold):
    truth, result = list(cells(3, many)), list(cells(4, others))
    centres = [np.array([np.mean(pixels, axis=0) for pixels in regions]) for regions in (truth, result)]
    away = np.hypot(*(centres[0][:, None] - centres[1][None]).transpose(2, 0, 1))
    rows, columns = linear_sum_assignment(np.where(away < float(threshold), away, 1e6))
    pairs = [(t, r) for t, r in zip(rows, columns, strict=True) if away[t, r] < float(threshold)]
    both = [({tuple(p) for p in truth[t]}, {tuple(p) for p in result[r]}) for t, r in pairs]
    files = save(tmp_path / "t.json", truth), save(tmp_path / "r.json", result)
    row = one(*files, threshold=threshold, match="optimal")
    assert row["matched"] == len(pairs) >= one(*files, threshold=threshold)["matched"]
    assert row["inclusion"] == pytest.approx(np.mean([len(a & b) / len(a) for a, b in both]))
    assert row["exclusion"] == pytest.approx(np.mean([len(a & b) / len(b) for a, b in both]))


def test_optimal_matching_finds_pairs_that_the_greedy_one_misses(tmp_path):
    truth = save(tmp_path / "t.json", [square(0, 4), square(0, 0)])
    result = save(tmp_path / "r.json", [square(0, 3), square(0, 8)])
    assert [one(truth, result, threshold=5, match=how)["matched"] for how in ("greedy", "optimal")] == [1, 2]


# thresholds


@pytest.mark.parametrize(("density", "threshold"), [(1.15, 6), (0.8, 4), (1.17, 6), (0.02, 1)])
def test_the_threshold_is_the_leaderboard_s_where_the_truth_states_the_size_of_a_pixel(tmp_path, density, threshold):
    truth = example(tmp_path)
    info = json.loads((truth / "info.json").read_text()) | {"pixels-per-micron": density}
    (truth / "info.json").write_text(json.dumps(info))
    conventions = score(truth, truth / "regions" / "regions.json").conventions
    assert conventions["threshold_px"] == threshold
    assert conventions["threshold_from"].startswith(f"round(5 · {density:g} pixels per µm of the truth)")


@pytest.mark.parametrize("threshold", [0, -1, "nan"])
def test_refuses_a_threshold_that_nothing_is_below(tmp_path, threshold):
    with pytest.raises(BadOption, match="--threshold"):
        score(save(tmp_path / "t.json", []), tmp_path / "t.json", threshold=threshold)


# submissions


def test_takes_the_only_data_set_of_a_submission_whatever_its_key(tmp_path):
    truth = save(tmp_path / "t.json", [square(5, 9)])
    for key in ("regions", "sources"):
        assert one(truth, submission(tmp_path / "r.json", key, **{"00_00": [square(5, 8)]}))["matched"] == 1


def test_takes_the_data_set_with_the_truth_s_name(tmp_path):
    truth = example(tmp_path)
    regions = [region["coordinates"] for region in json.loads((truth / "regions" / "regions.json").read_text())]
    result = submission(tmp_path / "r.json", **{"00_00": [square(1, 1)], "99_00": regions})
    assert one(truth, result)["combined"] == 1
    assert one(truth, result, dataset="neurofinder.00.00")["submitted"] == 1
    assert one(result, truth)["combined"] == 1


def test_scores_every_data_set_of_the_truth_and_their_mean(tmp_path):
    truth = submission(tmp_path / "t.json", **{"00_00": [square(5, 9), square(20, 9)], "01_00": [square(1, 1)]})
    result = submission(tmp_path / "r.json", **{"02_00": [], "00_00": [square(5, 9)]})
    scored = score(truth, result)
    assert [row["dataset"] for row in scored.rows] == ["00.00", "01.00", "mean"]
    assert [row["recall"] for row in scored.rows] == [0.5, 0, 0.25]
    assert [row["combined"] for row in scored.rows] == pytest.approx([2 / 3, 0, 1 / 3])
    told = [finding.message for finding in scored.findings]
    assert told[0] == "RESULT has no 01.00: scored as if nothing had been found there"
    assert told[1:] == ["TRUTH has no 02.00: not scored"]
    empty = submission(tmp_path / "e.json", **{"00_00": [], "01_00": []})
    assert [finding.message for finding in score(truth, empty).findings] == [
        "RESULT of 00.00 has no region: the scores are 0",
        "RESULT of 01.00 has no region: the scores are 0",
    ]
    assert one(truth, result, dataset="00.00")["precision"] == 1


@pytest.mark.parametrize(
    ("truth", "result", "dataset", "message"),
    [
        ({}, {"00_00": [], "01_00": []}, None, r"RESULT has 2 data sets \(00.00, 01.00\): choose one with --dataset"),
        ({}, {"00_00": []}, "00.0", "RESULT has no data set 00.0; did you mean 00.00"),
        ({"00_00": []}, {"00_00": []}, "x", "TRUTH has no data set x; it has 00.00"),
        ({"00_00": []}, {"01_00": []}, None, "no data set in common: TRUTH has 00.00; RESULT has 01.00"),
        ({}, {}, "00.00", "--dataset 00.00 chooses of a submission"),
    ],
)
def test_says_which_data_set_is_missing(tmp_path, truth, result, dataset, message):
    files = [
        submission(tmp_path / f"{name}.json", **sets) if sets else save(tmp_path / f"{name}.json", [square(0, 0)])
        for name, sets in (("t", truth), ("r", result))
    ]
    with pytest.raises((BadOption, BadSource), match=message):
        score(*files, dataset=dataset)


def test_says_that_the_only_data_set_has_another_name(tmp_path):
    result = submission(tmp_path / "r.json", **{"00_00_test": [square(0, 0)]})
    told = [finding.message for finding in score(example(tmp_path), result).findings]
    assert told == ["TRUTH is 99.00, RESULT is 00.00.test"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "holds a dict; expected a list"),
        ("[", "is not valid JSON"),
        ("[3]", "region 0 is not of the form"),
        ('[{"coordinates": [[1, 2, 3]]}]', "region 0 is not of the form"),
        ('[{"coordinates": [[1, 2], [3]]}]', "region 0 is not of the form"),
        ('[{"coordinates": [[1, 2.5]]}]', "in whole numbers"),
        ('[{"coordinates": [[1, 1e300]]}]', "in whole numbers"),
        ('[{"coordinates": [["a", "b"]]}]', "in whole numbers"),
        ('[{"coordinates": [[1, -9223372036854775808]]}]', "in whole numbers"),
        ('[{"coordinates": [[true, false]]}]', "in whole numbers"),
        ("[" * 100_000, "is not valid JSON"),
        ('[{"coordinates": [[1, NaN]]}]', "is not valid JSON"),
        ('[{"regions": []}]', "entry 0 is no data set of a submission"),
        ('[{"dataset": "00.00"}]', "entry 0 is no data set of a submission"),
        ('[{"dataset": "00.00", "regions": [{}]}]', "00.00: region 0 is not of the form"),
        ('[{"dataset": "a", "regions": []}, {"dataset": "a", "sources": []}]', "has the data set a twice"),
    ],
)
def test_refuses_another_form_of_json(tmp_path, content, message):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(BadSource, match=message):
        score(save(tmp_path / "t.json", [square(0, 0)]), tmp_path / "r.json")


def test_takes_whole_numbers_that_are_written_as_decimals(tmp_path):
    truth = save(tmp_path / "t.json", [square(4, 6)])
    assert one(truth, save(tmp_path / "r.json", [np.array(square(4, 6), float).tolist()]))["inclusion"] == 1


# odd regions


def test_nothing_found_scores_0_and_says_so(tmp_path):
    full, empty = save(tmp_path / "t.json", [square(0, 0)]), save(tmp_path / "r.json", [])
    for pair, where in (((full, empty), "RESULT"), ((empty, full), "TRUTH")):
        scored = score(*pair)
        assert [scored.rows[0][name] for name in FIVE] == [0] * 5
        assert [f.message for f in scored.findings] == [f"{where} has no region: the scores are 0"]
    assert [one(empty, empty, match=how)["combined"] for how in ("greedy", "optimal")] == [0, 0]


@pytest.mark.parametrize("how", ["greedy", "optimal"])
def test_a_region_without_pixels_counts_and_matches_nothing(tmp_path, how):
    truth, result = save(tmp_path / "t.json", [[], square(0, 0)]), save(tmp_path / "r.json", [square(0, 0), [], []])
    scored = score(truth, result, threshold="inf", match=how)
    assert scored.rows[0] | {"recall": 1 / 2, "precision": 1 / 3, "inclusion": 1, "matched": 1} == scored.rows[0]
    assert [f.message.partition(" have")[0] for f in scored.findings] == [
        "1 of 2 regions of TRUTH",
        "2 of 3 regions of RESULT",
    ]


def test_a_pixel_that_stands_twice_counts_once(tmp_path):
    truth = save(tmp_path / "t.json", [square(0, 0)])
    scored = score(truth, save(tmp_path / "r.json", [square(0, 0) + [[0, 0]] * 5]))
    assert (scored.rows[0]["inclusion"], scored.rows[0]["exclusion"]) == (1, 1)
    assert scored.findings[0].message == "r.json: 1 of 1 regions list a pixel more than once; each was counted once"


def test_warns_of_regions_outside_of_the_image(tmp_path):
    result = save(tmp_path / "r.json", [square(10, 49), square(10, 50), square(-1, 3), square(0, 0)])
    (finding,) = score(example(tmp_path), result).findings
    assert finding.message == "2 of 4 regions of RESULT have pixels outside of the image of 40 rows and 52 columns"
    alone = score(save(tmp_path / "t.json", [square(0, 0)]), result).findings
    assert [f.message for f in alone] == ["1 of 4 regions of RESULT have pixels outside of the image"]


# NWB files


def nwb(path, spacing=(0.5e-6, 0.5e-6), frames=None, **tables):
    """An NWB file as pynwb alone writes it, with a segmentation for each table of masks."""
    file = NWBFile("made up", str(uuid.uuid4()), datetime(2020, 1, 31, tzinfo=UTC), session_id=path.stem)
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="Green", description="green", emission_lambda=520.0),
        description="layer 2/3",
        device=file.create_device("Microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=10.0,
        grid_spacing=spacing,
        grid_spacing_unit="meters",
    )
    if frames is not None:
        movie = TwoPhotonSeries(name="Movie", data=frames, imaging_plane=plane, unit="n.a.", rate=10.0)
        file.add_acquisition(movie)
    masks = ImageSegmentation()
    if tables:
        file.create_processing_module("ophys", "regions").add(masks)
    for name, (kind, regions, status) in tables.items():
        table = masks.create_plane_segmentation(name=name, description="cells", imaging_plane=plane)
        for region in regions:
            table.add_roi(**{kind: region})
        if status:
            table.add_column("status", "what became of it", data=list(status))
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def image_of(pixels, weights=None, kind=float):
    image = np.zeros(SHAPE, kind)
    image[tuple(np.transpose(pixels))] = 1 if weights is None else weights
    return image.T  # x, y


def table_of(pixels, weights=None):
    weights = itertools.repeat(1.0) if weights is None else weights
    return [(column, row, float(w)) for (row, column), w in zip(pixels, weights, strict=False)]


@pytest.mark.parametrize(("kind", "of"), [("image_mask", image_of), ("pixel_mask", table_of)])
def test_reads_masks_that_another_program_wrote(tmp_path, kind, of):
    truth = [square(3, 30), square(20, 45)]
    result = nwb(tmp_path / "r.nwb", Cells=(kind, [of(pixels) for pixels in [square(4, 30), square(20, 44)]], ()))
    row = one(save(tmp_path / "t.json", truth), result)
    assert row | {"matched": 2, "inclusion": pytest.approx(6 / 9), "exclusion": pytest.approx(6 / 9)} == row
    assert score(result, tmp_path / "t.json").conventions["threshold_px"] == 10  # 0.5 µm a pixel


def test_of_pixels_that_are_not_square_the_geometric_mean_counts(tmp_path):
    truth = nwb(tmp_path / "t.nwb", (0.5e-6, 2e-6), Cells=("pixel_mask", [table_of(square(4, 40))], ()))
    conventions = score(truth, save(tmp_path / "r.json", [square(4, 40)])).conventions
    assert conventions["threshold_px"] == 5
    assert conventions["threshold_from"] == "round(5 · 1 pixels per µm of the truth)"


@pytest.mark.parametrize(("kind", "of"), [("image_mask", image_of), ("pixel_mask", table_of)])
def test_weights_decide_which_pixels_count(tmp_path, kind, of):
    pixels, weights = square(10, 20), [0, 1e-6, 1, 2, 3, 4, 5, 5, np.nan]
    files = (
        save(tmp_path / "t.json", [pixels]),
        nwb(tmp_path / "r.nwb", Cells=(kind, [of(pixels, weights)], ())),
    )
    for above, count in ((0, 7), (0.2, 5), (0.59, 4), (0.99, 2)):
        assert one(*files, above=above)["inclusion"] == pytest.approx(count / 9)
        assert one(*files, above=above)["exclusion"] == 1
    assert "0.2 of the region's largest" in score(*files, above=0.2).conventions["pixels"]


@pytest.mark.parametrize("above", [-0.1, 1, 7])
def test_refuses_a_share_that_no_pixel_or_every_one_has(tmp_path, above):
    with pytest.raises(BadOption, match="expected a fraction of the largest weight"):
        score(save(tmp_path / "t.json", []), tmp_path / "t.json", above=above)


def test_a_mask_of_true_and_false_is_one_of_pixels(tmp_path):
    result = nwb(tmp_path / "r.nwb", Cells=("image_mask", [image_of(square(4, 40), kind=np.uint8)], ()))
    assert one(save(tmp_path / "t.json", [square(4, 40)]), result, above=0.5)["exclusion"] == 1


def test_a_mask_without_weight_is_a_region_without_pixels(tmp_path):
    result = nwb(tmp_path / "r.nwb", Cells=("image_mask", [np.zeros(SHAPE[::-1]), image_of(square(4, 40))], ()))
    scored = score(save(tmp_path / "t.json", [square(4, 40)]), result)
    assert scored.rows[0]["precision"] == 0.5
    assert "1 of 2 regions of RESULT have no pixel" in scored.findings[0].message


def test_rejected_regions_are_left_out_and_it_is_said(tmp_path):
    masks = [table_of(square(4, 4)), table_of(square(20, 20)), table_of(square(30, 30))]
    result = nwb(tmp_path / "r.nwb", Cells=("pixel_mask", masks, ("accepted", "rejected", "undecided")))
    truth = save(tmp_path / "t.json", [square(4, 4)])
    assert one(truth, result)["submitted"] == 2
    assert score(truth, result).conventions["rejected_regions"] == "left out (1 were)"
    assert one(truth, result, rejected=True)["submitted"] == 3
    assert score(truth, result, rejected=True).conventions["rejected_regions"] == "count as the others"


def test_several_segmentations_are_chosen_by_name(tmp_path):
    one_, other = [table_of(square(4, 4))], [table_of(square(4, 4)), table_of(square(20, 20))]
    file = nwb(tmp_path / "r.nwb", Hand=("pixel_mask", one_, ()), Found=("pixel_mask", other, ()))
    assert one(file, file, truth_segmentation="Hand", segmentation="Found")["precision"] == 0.5
    for options, message in (
        ({}, r"r has several segmentations \(Found, Hand\): choose one with --truth-segmentation NAME"),
        ({"truth_segmentation": "Hand"}, r"\(Found, Hand\): choose one with --segmentation NAME"),
        ({"truth_segmentation": "Hnd"}, "r has no segmentation Hnd of cells; did you mean Hand"),
        ({"truth_segmentation": "Hand", "segmentation": "x"}, "r has no segmentation x of cells; it has Found, Hand"),
    ):
        with pytest.raises(BadOption, match=message):
            score(file, file, **options)


def test_a_segmentation_of_rejected_regions_alone_is_not_asked_about(tmp_path):
    tables = {name: ("pixel_mask", [table_of(square(4, 4))], (name.lower(),)) for name in ("Accepted", "Rejected")}
    file = nwb(tmp_path / "r.nwb", **tables)
    assert one(file, file)["truth"] == 1
    with pytest.raises(BadOption, match="several segmentations"):
        score(file, file, rejected=True)


def test_refuses_a_file_without_regions(tmp_path):
    with pytest.raises(BadSource, match="r has no regions of cells; expected a segmentation"):
        score(nwb(tmp_path / "r.nwb"), tmp_path / "r.nwb")


def test_a_test_set_has_no_truth_to_score_against(tmp_path):
    truth = example(tmp_path)
    shutil.rmtree(truth / "regions")
    with pytest.raises(BadSource, match=r"neurofinder\.99\.00 has no regions of cells; expected a segmentation"):
        score(truth, save(tmp_path / "r.json", []))


def test_refuses_regions_whose_masks_are_not_distributed(tmp_path):
    result = nwb(tmp_path / "r.nwb", Cells=("image_mask", [np.full((1, 1), np.nan)] * 2, ()))
    with pytest.raises(BadSource, match="Cells of r has no masks: they are not distributed with it"):
        score(save(tmp_path / "t.json", []), result)


def test_refuses_regions_of_a_volume(tmp_path):
    masks = [[(3, 4, 1, 1.0), (3, 5, 2, 1.0)]]
    with pytest.raises(BadSource, match="of a volume; neurofinder has regions of one plane only"):
        score(save(tmp_path / "t.json", []), nwb(tmp_path / "r.nwb", Cells=("voxel_mask", masks, ())))


def test_warns_of_a_mask_outside_of_the_truth_s_image(tmp_path):
    masks = [table_of(square(4, 4)), table_of(square(4, 200))]
    result = nwb(tmp_path / "r.nwb", Cells=("pixel_mask", masks, ()))
    told = [finding.message for finding in score(example(tmp_path), result).findings]
    assert told[0] == "1 of 2 regions of RESULT have pixels outside of the image of 40 rows and 52 columns"


def test_a_mask_outside_of_its_own_movie_is_told_of_and_not_exported(tmp_path):
    masks = [table_of(square(4, 4)), table_of(square(4, 900))]
    path = nwb(tmp_path / "r.nwb", frames=np.zeros((3, 52, 40), np.uint16), Cells=("pixel_mask", masks, ()))
    words = "pixels outside of the frames in 1 of 2 regions of Cells, the first at row 4, column 900: Movie has 40 rows"
    for pair, where in (((example(tmp_path), path), "RESULT"), ((path, example(tmp_path / "b")), "TRUTH")):
        told = [finding.message for finding in score(*pair).findings]
        assert f"{where}: {words} and 52 columns" in told
    with pytest.raises(BadSource, match=words):
        nwbridge.export("neurofinder", path, tmp_path / "s.json")
    assert not (tmp_path / "s.json").exists()


def test_warns_where_the_images_differ(tmp_path):
    result = nwb(tmp_path / "r.nwb", Cells=("image_mask", [image_of(square(4, 30)).T], ()))
    told = [finding.message for finding in score(example(tmp_path), result).findings]
    assert told == ["the images differ: (rows, columns) are (40, 52) in TRUTH, (52, 40) in RESULT"]
