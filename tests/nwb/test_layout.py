"""The places of large arrays: their axes, and the chunks that a user asks for."""

import numpy as np

from nwbridge import arrays
from nwbridge.nwb.layout import Layout


def test_asked_for_chunks_follow_the_stored_axes_and_hold_every_plane_of_a_volume():
    layout = Layout(chunks=(2, 3, 4))
    volumes, frames = (arrays.from_numpy(np.zeros(shape)) for shape in ((9, 5, 7, 6), (9, 5, 2)))
    assert layout.empty(volumes, (0, 2, 1, 3), movie=True).io_settings["chunks"] == (2, 4, 3, 6)
    assert layout.empty(frames, (0, 2, 1), movie=True).io_settings["chunks"] == (2, 2, 3)  # no larger than the movie
    assert layout.empty(frames, (0, 2, 1)).io_settings["chunks"] != (2, 2, 3)  # asked for movies only


def test_an_array_without_values_needs_no_filling():
    layout = Layout()
    assert layout.empty(arrays.from_numpy(np.zeros((3, 0), np.int16)), (1, 0)).shape == (0, 3)
    assert layout.slots == []
