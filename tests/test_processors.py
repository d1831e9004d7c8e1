"""Only the processors that this process may use are counted."""

import os

import pytest

from nwbridge import processors


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_a_process_that_is_bound_to_one_processor_takes_one():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert processors.usable() == processors.few() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert processors.usable() == len(before)


def test_nobody_takes_more_than_eight_unasked():
    assert 1 <= processors.few() <= 8
