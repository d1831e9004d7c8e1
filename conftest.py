"""What holds for the tests of the host and of every plugin."""

import os

# Threads of PyTorch that wait for each other on busy processors burn them: that was half the time of its tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
