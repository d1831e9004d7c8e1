"""Footprints: where they grow, how they are tidied, and how patches' become the field's."""

import numpy as np
from scipy import ndimage, sparse

from nwbridge_extract_cnmf import filters, merging, shapes

SHAPE = (9, 13)


def columns(*images):
    return sparse.csc_matrix(np.stack([np.asarray(image, np.float32).ravel() for image in images], axis=1))


def spot(rows, cols, weight=1.0):
    image = np.zeros(SHAPE, np.float32)
    image[rows, cols] = weight
    return image


def test_footprints_grow_by_an_ellipse_within_the_field():
    images = [spot(0, 0), spot(4, slice(3, 6)), spot(8, 12), np.zeros(SHAPE)]
    found = shapes.grown(columns(*images), SHAPE, (1, 2)).toarray().T.reshape(-1, *SHAPE)
    for image, wide in zip(images, found, strict=True):
        np.testing.assert_array_equal(wide > 0, ndimage.binary_dilation(image > 0, shapes.disc((1, 2))))


def test_tidied_footprints_are_one_piece_without_faint_pixels_unless_they_may_be_several():
    image = spot(slice(1, 4), slice(1, 4)) + spot(slice(6, 8), slice(8, 11), 0.5) + spot(2, 4, 0.01)
    few = spot(0, slice(0, 2))
    one = shapes.tidied(columns(image, few), SHAPE)
    assert np.diff(one.indptr).tolist() == [9, 0]
    assert np.diff(shapes.tidied(columns(image), SHAPE, connected=False).indptr).tolist() == [15]


def test_footprints_of_norm_one_times_traces_are_what_they_were():
    before, traces = columns(spot(1, slice(0, 3), 2.0), np.zeros(SHAPE), spot(3, 3, 5.0)), np.ones((3, 4), np.float32)
    after, scaled = shapes.to_unit_norm(before, traces)
    assert after.shape[1] == len(scaled) == 2
    np.testing.assert_allclose(after @ scaled, before @ traces, rtol=1e-6)
    np.testing.assert_allclose(after.power(2).sum(axis=0), 1, rtol=1e-6)


def test_footprints_of_patches_lie_where_the_patch_is():
    places = np.array([5, 6, 18, 19])
    parts = [(places, sparse.csc_matrix(np.eye(4, 2, dtype=np.float32))), (places[:1], sparse.csc_matrix((1, 0)))]
    found = shapes.together(parts, 117)
    assert found.shape == (117, 2)
    assert found.nonzero()[0].tolist() == [5, 6]


def test_a_centred_filter_sees_no_even_picture_and_another_is_a_mean_also_at_the_border():
    for size in (SHAPE, (1, 13), (9, 1), (2, 3)):
        even = np.ones((size[0] * size[1], 2), np.float32)
        for centred in (True, False):
            made = filters.gaussian_filter(size, (1.5, 2.0), (7, 9), centred=centred)
            np.testing.assert_allclose(made @ even, 0 if centred else 1, atol=1e-5)


def test_the_correlation_image_is_the_mean_correlation_with_the_eight_neighbours():
    movie = np.random.default_rng(0).normal(size=(4, 5, 60)).astype(np.float32)
    movie[2, 2] = 7
    expected = np.zeros((4, 5))
    for y, x in np.ndindex(4, 5):
        near = [
            (a, b)
            for a in (y - 1, y, y + 1)
            for b in (x - 1, x, x + 1)
            if (a, b) != (y, x) and 0 <= a < 4 and 0 <= b < 5
        ]
        flat = (y, x) == (2, 2)
        alike = [0 if flat or place == (2, 2) else np.corrcoef(movie[y, x], movie[place])[0, 1] for place in near]
        expected[y, x] = np.mean(alike)
    np.testing.assert_allclose(filters.correlation_image(movie.reshape(20, 60), (4, 5)), expected, atol=1e-5)


def traces_of(*kinds):
    base = np.random.default_rng(1).random((3, 200)).astype(np.float32)
    return np.stack([base[kind] for kind in kinds])


def test_components_that_overlap_and_correlate_are_merged_into_the_best_of_rank_one():
    parts = columns(spot(2, slice(2, 6)), spot(3, slice(2, 6)), spot(2, slice(3, 7)), spot(7, slice(2, 6)))
    parts, traces = shapes.to_unit_norm(parts, traces_of(0, 0, 1, 0))
    whole, courses, gone = merging.merged(parts, traces, SHAPE, 0.8)
    assert gone == 1
    assert whole.shape[1] == len(courses) == 3
    joined = whole[:, :1] @ courses[:1]
    np.testing.assert_allclose(joined, parts[:, :2] @ traces[:2], atol=1e-5)
    assert merging.merged(parts, traces, SHAPE, 1.0)[2] == 0
    assert merging.merged(parts[:, :0], traces[:0], SHAPE, 0.8)[2] == 0


def test_of_one_cell_found_in_two_patches_the_deeper_one_is_kept():
    parts, traces = shapes.to_unit_norm(
        columns(spot(2, slice(2, 7)), spot(2, slice(2, 6)), spot(2, slice(2, 6)), spot(2, slice(2, 6))),
        traces_of(0, 0, 1, 0),
    )
    patches, depths = np.array([0, 1, 1, 0]), np.array([2.0, 5.0, 9.0, 1.0])
    assert merging.without_duplicates(parts, traces, patches, depths, 0.8).tolist() == [1, 2]
