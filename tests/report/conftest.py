"""Recordings of every kind of element as NWB files, and a page taken apart by Python's own parser."""

import base64
import functools
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
from recordings import lazy

import nwbridge
from nwbridge.plugins import Plugin, Registry

ROWS, COLUMNS, FRAMES, RATE = 37, 53, 90, 20.0
VOLTS, VOLT_RATE = 60_000, 10_000.0
SPIKES = np.array([0.5123, 1.25, 2.0001, 4.75])
LETTER = [(3, 5), (4, 5), (5, 5), (6, 5), (6, 6), (6, 7)]  # (row, column) of an L
MOUSE = {"Subject": {"subject_id": "m7", "species": "Mus musculus", "sex": "F", "age": "P60D"}}


def frames():
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    light = 200 + 400 * np.exp(-((rows - 8) ** 2 + (columns - 40) ** 2) / 30) * rng.random((FRAMES, 1, 1)) + columns
    return rng.poisson(light).astype(np.uint16)


def voltage():
    volts = np.random.default_rng(4).normal(0, 5e-5, VOLTS)
    volts[(SPIKES * VOLT_RATE).round().astype(int)] = 2e-3  # one sample each: a thinned line would lose them
    return volts


def write_session(folder, *elements, name="recording", description="Made up.", **more):
    """Convert a session of some elements, and return the result."""

    def describe(path, options):
        return nwbridge.Session(name, description, elements, files=(path,), **more)

    made = nwbridge.Source("memory", "in memory", lambda path: "always", describe, lambda folder: folder)
    registry = Registry((Plugin("memory", "nwbridge-memory", "1", sources=(made,)),))
    source = folder / "source.bin"
    source.write_bytes(b"made up")
    return nwbridge.convert(source, folder / f"{name[:20]}.nwb", metadata=MOUSE, registry=registry)


PLANE = nwbridge.Plane(pixel_um=(0.8, 0.5), rate_hz=RATE, location="VISp", indicator="GCaMP6f")


def imaging_elements():
    statuses = ("accepted", "rejected", "undecided", "not evaluated")
    square = np.array([(r, c) for r in range(20, 24) for c in range(40, 46)])
    pixels = [np.array(LETTER), square, square - (15, 30), square + (10, 3)]
    regions = tuple(nwbridge.Region(p, id=10 + n) for n, p in enumerate(pixels))
    traces = np.random.default_rng(6).normal(size=(4, FRAMES)).cumsum(axis=1)
    shown = (
        nwbridge.Traces("dff", lazy(traces), "dff", rate_hz=RATE),
        nwbridge.Traces("raw", lazy(traces * 100), "fluorescence", rate_hz=RATE),
    )
    times = nwbridge.Column("timestamp", np.array([0.5, 1.5, 3.0]), "seconds")
    cells = nwbridge.Column("cell", np.array([0, 0, 1]), "the cell", rows_of="Cells")
    return (
        nwbridge.Movie("TwoPhotonSeries", lazy(frames()), PLANE, rate_hz=RATE, unit="counts"),
        nwbridge.Segmentation("Cells", regions, (ROWS, COLUMNS), PLANE, status=statuses, traces=shown),
        nwbridge.Events("events", (times, cells)),
    )


def ephys_elements():
    common = {"unit": "volts", "kind": "current clamp", "rate_hz": VOLT_RATE, "electrode": nwbridge.Electrode()}
    dff = nwbridge.Traces("dff", lazy(np.random.default_rng(7).normal(size=(1, 120))), "dff", rate_hz=RATE)
    return (
        nwbridge.Series("voltage", lazy(voltage()), **common),
        nwbridge.Segmentation("Neuron", (nwbridge.Region(None),), None, PLANE, traces=(dff,)),
        nwbridge.Units(columns=(nwbridge.Column.ragged("spike_times", [SPIKES], "seconds"),)),
    )


@pytest.fixture
def save(tmp_path):
    """A function that writes a session of some elements to an NWB file and returns the result."""
    return functools.partial(write_session, tmp_path)


@pytest.fixture
def plane():
    return PLANE


@pytest.fixture
def imaging():
    """A movie, regions of every status with traces, and events of one of them."""
    return imaging_elements()


@pytest.fixture
def ephys():
    """A voltage with spikes of one unit beside the ΔF/F of one neuron whose mask nobody has."""
    return ephys_elements()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Two NWB files: of imaging, and of a voltage."""
    folder = tmp_path_factory.mktemp("recorded")
    made = (write_session(folder, *imaging_elements()), write_session(folder, *ephys_elements(), name="voltages"))
    return [result.out for result in made]


@dataclass
class Node:
    tag: str
    attributes: dict
    parent: object = None
    children: list = field(default_factory=list)
    words: list = field(default_factory=list)

    def all(self, tag=None, **attributes):
        """Every element below, of a tag and with attributes; class_ asks for one of the classes."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        for child in self.children:
            got = child.attributes
            fits = all(value in (got.get(key) or "").split() if key == "class" else got.get(key) == value
                       for key, value in wanted.items())  # fmt: skip
            if (tag is None or child.tag == tag) and fits:
                yield child
            yield from child.all(tag, **attributes)

    def one(self, tag=None, **attributes):
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def text(self):
        return "".join(part if isinstance(part, str) else part.text for part in self.words)

    def json(self):
        return json.loads(self.one("script", class_="data").text)

    def figure(self, title):
        return next(one for one in self.all("figure") if one.one("h4").text.split("  ")[0].startswith(title))


class Tree(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Node("", {})

    def handle_starttag(self, tag, attributes):
        node = Node(tag, dict(attributes), self.here)
        self.here.children.append(node)
        self.here.words.append(node)
        if tag not in ("meta", "input", "wbr"):
            self.here = node

    def handle_endtag(self, tag):
        assert self.here.tag == tag, f"{tag} ends {self.here.tag}"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.words.append(data)


@pytest.fixture
def parsed():
    """A function that takes a page apart; elements have to be closed in order."""

    def parse(path):
        tree = Tree()
        tree.feed(path.read_text("utf-8"))
        assert tree.here is tree.root
        return tree.root

    return parse


@pytest.fixture
def page_of(tmp_path, parsed):
    """A function that reports on files and returns the page, taken apart."""

    def make(*inputs, **arguments):
        out = tmp_path / "report.html"
        nwbridge_report().write(inputs, out, overwrite=True, check=False, workers=1, **arguments)
        return parsed(out)

    return make


def nwbridge_report():
    from nwbridge import report

    return report


def png(url):
    assert url.startswith("data:image/png;base64,")
    return imagecodecs.png_decode(base64.b64decode(url.partition(",")[2]))


def numbers(words, low, high):
    """Values of a line as the page holds them: 1 to 65535 between the lowest and the highest, 0 for none."""
    steps = np.frombuffer(base64.b64decode(words), "<u2").astype(float)
    return np.where(steps == 0, np.nan, low + (steps - 1) / 65534 * (high - low))


@pytest.fixture
def tools():
    """What several test modules need and importlib does not let them import from here."""
    return SimpleNamespace(
        png=png, numbers=numbers, frames=frames, voltage=voltage, SPIKES=SPIKES, LETTER=LETTER, RATE=RATE,
        VOLT_RATE=VOLT_RATE, shape=(FRAMES, ROWS, COLUMNS),
    )  # fmt: skip
