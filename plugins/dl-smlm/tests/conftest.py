"""A cell of which any file can be replaced, and tables as ThunderSTORM writes them."""

import pytest

from nwbridge_dl_smlm import example


@pytest.fixture
def cell(tmp_path):
    """Return the folder of the example's cell."""
    return example(tmp_path)


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a cell of nothing but a table, and returns its folder."""

    def write(text):
        folder = tmp_path / "Microtubules" / "cell3"
        folder.mkdir(parents=True, exist_ok=True)
        content = text if isinstance(text, bytes) else text.encode()
        (folder / "SR_locs.csv").write_bytes(content)
        return folder

    return write
