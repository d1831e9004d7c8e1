import itertools
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from recordings import lazy

import nwbridge
from nwbridge import report
from nwbridge.processes.pool import Pool
from nwbridge.report import work
from nwbridge.report.entries import Entry

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"&="


def limits(svg):
    return float(svg.attributes["data-low"]), float(svg.attributes["data-high"])


def grey(values, low, high):
    return np.round((np.clip(values, low, high) - low) / (high - low) * 255)


def test_the_mean_and_the_maximum_are_those_of_the_file(save, imaging, page_of, tools):
    out = save(*imaging).out
    figure = page_of(out).figure("Two-photon movie")
    with h5py.File(out) as file:
        stored = file["acquisition/TwoPhotonSeries/data"][:]  # (time, x, y)
    drawings = list(figure.all("svg", class_="picture"))
    for drawing, expected in zip(drawings, (stored.mean(axis=0).T, stored.max(axis=0).T), strict=True):
        low, high = limits(drawing)
        assert (low, high) == pytest.approx(tuple(np.percentile(expected, (1.0, 99.8))))
        shown = tools.png(drawing.one("image").attributes["href"])
        assert shown.shape == expected.shape == tools.shape[1:]
        assert np.abs(shown - grey(expected, low, high)).max() <= 1
    words = figure.one("figcaption").text
    assert "37 × 53 pixels (row × column), 29.6 × 26.5 µm" in words
    assert "constant rate of 20 Hz" in words
    assert "all 90 frames" in words


def test_pixels_that_are_not_square_are_drawn_as_they_are(save, imaging, page_of):
    figure = page_of(save(*imaging).out).figure("Two-photon movie")
    drawing = next(figure.all("svg", class_="picture"))
    assert drawing.attributes["viewbox"] == "0 0 53 59.2"  # 0.5 µm wide, 0.8 µm tall
    bar = next(drawing.all("rect"))
    words = drawing.one("text").text
    assert float(bar.attributes["width"]) * 0.5 == pytest.approx(float(words.removesuffix(" µm")))


def test_a_large_field_is_drawn_smaller_and_a_bright_pixel_stays(save, plane, page_of, tools):
    values = np.zeros((5, 300, 520), np.uint16)
    values[2, 100, 401] = 1000
    out = save(nwbridge.Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=2.0)).out
    figure = page_of(out).figure("Two-photon movie")
    shown = tools.png(list(figure.all("image"))[1].attributes["href"])
    assert shown.shape == (100, 174)
    assert np.argwhere(shown).tolist() == [[33, 133]]
    assert "3 × 3 pixels drawn as one" in figure.text


def test_outlines_lie_on_the_pixels_of_the_file(save, imaging, page_of):
    out = save(*imaging).out
    figure = page_of(out).figure("Regions")
    with h5py.File(out) as file:
        table = file["processing/ophys/ImageSegmentation/Cells"]
        ends, masks, ids = table["pixel_mask_index"][:], table["pixel_mask"][:], table["id"][:]
    paths = {
        int(p.attributes["data-region"]): p.attributes["d"] for p in figure.all("path") if "data-region" in p.attributes
    }
    for region, start, end in zip(ids, [0, *ends], ends, strict=False):
        corners = re.fullmatch(r"M(\d+) (\d+)((?:[hv]-?\d+)+)z", paths[region])
        x, y = int(corners[1]), int(corners[2])
        points = [(x, y)]
        for way, length in re.findall(r"([hv])(-?\d+)", corners[3]):
            x, y = (x + int(length), y) if way == "h" else (x, y + int(length))
            points.append((x, y))
        mask = masks[start:end]
        assert (min(p[0] for p in points), max(p[0] for p in points)) == (mask["x"].min(), mask["x"].max() + 1)
        assert (min(p[1] for p in points), max(p[1] for p in points)) == (mask["y"].min(), mask["y"].max() + 1)
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)) / 2
        assert abs(area) == len(mask)


def test_of_very_many_regions_some_are_outlined(save, plane, page_of):
    pixels = [np.array([(n // 100, 2 * (n % 100))]) for n in range(3000)]
    cells = nwbridge.Segmentation("Cells", tuple(map(nwbridge.Region, pixels)), (60, 200), plane)
    figure = page_of(save(cells).out).figure("Regions")
    drawn = [int(p.attributes["data-region"]) for p in figure.all("path") if "data-region" in p.attributes]
    assert drawn[0] == 0
    assert drawn[-1] == 2999
    assert f"3\u202f000 regions. Nobody evaluated them. {len(drawn):,} of them".replace(",", "\u202f") in figure.text


def test_a_region_that_is_nothing_but_edges_is_not_outlined(save, plane, page_of):
    board = np.argwhere(np.indices((300, 310)).sum(axis=0) % 2 == 0)
    cells = nwbridge.Segmentation("Cells", (nwbridge.Region(board),), (300, 310), plane)
    assert "0 of them are drawn: their outlines are too ragged" in page_of(save(cells).out).figure("Regions").text


def test_what_became_of_a_region_is_said_by_line_and_word(save, imaging, page_of):
    figure = page_of(save(*imaging).out).figure("Regions")
    legend = {
        one.text.strip().partition(":")[0]: one.one("path").attributes["class"] for one in figure.one("ul").all("li")
    }
    assert legend == {
        "accepted": "roi accepted",
        "rejected": "roi rejected",
        "undecided": "roi undecided",
        "not evaluated": "roi unjudged",
    }
    used = figure.one("use").attributes["href"]
    assert (
        used
        == "#"
        + next(page_of(save(*imaging, name="again").out).figure("Two-photon movie").all("image")).attributes["id"]
    )


def test_background_is_shown_by_its_weights(save, plane, page_of, tools):
    masks = np.random.default_rng(2).random((2, 37, 53))
    out = save(nwbridge.Segmentation("Background", lazy(masks), (37, 53), plane, role="background")).out
    figure = page_of(out).figure("Background")
    with h5py.File(out) as file:
        stored = file["processing/ophys/ImageSegmentation/Background/image_mask"][:]  # (region, x, y)
    for drawing, expected in zip(figure.all("svg", class_="picture"), stored, strict=True):
        shown = tools.png(drawing.one("image").attributes["href"])
        assert np.abs(shown - grey(expected.T, *limits(drawing))).max() <= 1


def test_regions_without_a_mask_are_said_and_not_drawn(save, ephys, page_of):
    page = page_of(save(*ephys).out)
    assert "1 region; the outlines are not distributed, so none can be drawn." in page.figure("Regions").text


def test_traces_are_those_of_the_file_with_their_events(save, imaging, page_of, tools):
    out = save(*imaging).out
    tracks = page_of(out).figure("Traces").json()["tracks"]
    with h5py.File(out) as file:
        stored = file["processing/ophys/DfOverF/dff/data"][:]
    assert [track["label"] for track in tracks] == ["Region 10: ΔF/F", "Region 10: fluorescence"]  # the accepted one
    first = tracks[0]
    assert first["each"] == 1
    shown = tools.numbers(first["low"], first["min"], first["max"])
    assert np.abs(shown - stored[:, 0]).max() <= (stored[:, 0].max() - stored[:, 0].min()) / 65534
    assert first["marks"] == [0.5, 1.5]
    assert (first["t0"], first["dt"]) == (0, pytest.approx(1 / tools.RATE))


def test_no_spike_of_a_long_voltage_vanishes(save, ephys, page_of, tools):
    out = save(*ephys).out
    figure = page_of(out).figure("Over time")
    tracks = {track["label"]: track for track in figure.json()["tracks"]}
    assert list(tracks) == ["ΔF/F", "voltage", "1 unit: 4 spikes"]
    track = tracks["voltage"]
    with h5py.File(out) as file:
        stored = file["acquisition/voltage/data"][:] * 1000
    assert (track["unit"], track["each"], track["marked"]) == ("mV", 30, "4 spikes")
    low, high = (tools.numbers(track[side], track["min"], track["max"]) for side in ("low", "high"))
    pieces = stored.reshape(-1, 30)
    quantum = (stored.max() - stored.min()) / 65534
    assert np.abs(low - pieces.min(axis=1)).max() <= quantum
    assert np.abs(high - pieces.max(axis=1)).max() <= quantum
    assert (high > 1.9).sum() == len(tools.SPIKES)
    assert (track["min"], track["max"]) == pytest.approx((stored.min(), stored.max()))
    assert track["marks"] == pytest.approx(tools.SPIKES, abs=1e-6)
    assert "every 30 samples" in figure.text


def test_spikes_lie_on_one_another(save, ephys, page_of, tools):
    columns = page_of(save(*ephys).out).figure("Spikes on one another").json()["columns"]
    assert len(columns) == 1 + len(tools.SPIKES)
    middle = {name: tools.numbers(c["values"], c["min"], c["max"]) for name, c in columns.items()}
    assert middle.pop("ms")[20] == pytest.approx(0, abs=1e-4)
    for values in middle.values():
        assert len(values) == 41
        assert values[20] == pytest.approx(2, abs=1e-3)


def test_missing_frames_are_marked(save, plane, page_of, tools):
    times = np.delete(np.arange(30) / 10, [7, 8, 20])
    values = tools.frames()[: len(times)]
    out = save(nwbridge.Movie("TwoPhotonSeries", lazy(values), plane, timestamps=lazy(times))).out
    page = page_of(out)
    assert "2 gaps after frame 7, 18" in page.figure("Two-photon movie").text
    track = page.figure("Over time").json()["tracks"][1]
    assert (track["unit"], track["marked"], track["marks"]) == ("ms", "2 gaps", [0.9, 2.1])
    assert track["max"] == pytest.approx(300)


def test_localizations_lie_where_they_are_beside_the_widefield(save, plane, page_of, tools):
    movie = nwbridge.Movie("OnePhotonSeries", lazy(tools.frames()), plane, "one-photon", rate_hz=20.0)
    x, y = np.array([2000.0, 20_000.0, 20_000.0, 99_999.0]), np.array([26_000.0, 4000.0, 4000.0, 1.0])  # nm
    columns = (nwbridge.Column("x", x, unit="nm"), nwbridge.Column("y", y, unit="nm"),
               nwbridge.Column("intensity", np.array([100.0, 200, 300, 400]), unit="photon"))  # fmt: skip
    table = nwbridge.Localizations("Localizations", columns, plane=plane, found_in="OnePhotonSeries")
    figure = page_of(save(movie, table).out).figure("Localizations")
    shown = tools.png(next(figure.all("image")).attributes["href"])
    step = 29_600 / 64  # the longer side of the field, 37 pixels of 0.8 µm
    assert shown.shape == (64, 58)
    expected = sorted((int(b // step), int(a // step)) for a, b in {(2000, 26_000), (20_000, 4000)})
    assert sorted(map(tuple, np.argwhere(shown).tolist())) == expected
    assert "4 localizations, 1 of them outside the field shown; both pictures show the same field" in figure.text
    assert figure.one("use").attributes["href"] == "#r0-i0"
    photons = page_of(save(movie, table, name="b").out).figure("Photons")
    assert "Median 250 photons of 4 localizations" in photons.text


def test_every_value_of_an_image_is_shown_with_its_scale(save, page_of, tools):
    values = np.random.default_rng(1).random((12, 30)).astype(np.float32)
    image = nwbridge.Image("Correlation", lazy(values), "how neighbours go together", pixel_um=(2.0, 2.0))
    figure = page_of(save(nwbridge.Images("Summary", (image,), made_from="x")).out).figure("Images")
    drawing = figure.one("svg", class_="picture")
    assert np.abs(tools.png(drawing.one("image").attributes["href"]) - grey(values, *limits(drawing))).max() <= 1
    assert "12 × 30 pixels of 2 × 2 µm" in figure.text
    assert "Scale bar: 10 µm" in drawing.attributes["aria-label"]


def test_tables_show_their_first_rows(save, page_of):
    columns = (
        nwbridge.Column("depth", np.arange(9) / 2, unit="mm"),
        nwbridge.Column("note", np.array(["a", HOSTILE] + ["c"] * 7)),
    )
    figure = page_of(save(nwbridge.Table("places", columns, "where we were")).out).figure("Table")
    rows = [[cell.text for cell in row.children] for row in figure.all("tr")]
    assert rows[0] == ["depth mm", "note"]
    assert rows[1] == ["0", "a"]
    assert rows[2][1].startswith("</script><script>window.hacked")
    assert len(rows) == 6
    assert "9 rows, 2 columns; the first 5 rows" in figure.text


def test_says_where_a_file_comes_from(save, imaging, page_of):
    result = save(*imaging)
    with h5py.File(result.out) as file:
        digest = file["analysis/source_files/sha256"].asstr()[0]
        made = [" ".join(pair) for pair in file["general/was_generated_by"].asstr()[:]]
    card = page_of(result.out).one("article")
    origin = next(one for one in card.all("details") if one.one("summary").text == "Where it comes from")
    assert digest in origin.text
    assert all(pair in origin.text for pair in made)
    metadata = next(one for one in card.all("details") if one.one("summary").text.startswith("Metadata"))
    rows = {row.children[0].text: [cell.text for cell in row.children[1:]] for row in metadata.all("tr")}
    assert rows["Subject.species"] == ["Mus musculus", "in the file"]
    assert rows["NWBFile.lab"][0] == "–"
    assert rows["NWBFile.lab"][1].startswith("not known")


def batch(tmp_path, result):
    written = json.loads(json.dumps(result.as_json(), default=str))
    written |= {"job": "one", "status": "written", "out": result.out.rpartition("/")[2]}
    failed = {"job": "two", "status": "failed", "error": "BadSource", "message": "two.tif is cut off", "attempts": 3}
    return [written, failed]


def test_tells_how_a_batch_went(tmp_path, save, imaging, page_of):
    result = save(*imaging)
    page = page_of(results=batch(tmp_path, result), root=tmp_path)
    assert [one.text for one in page.one("ul", class_="tiles").all("li")][:2] == ["1written", "1failed"]
    one, two = page.all("article")
    assert one.one("h3").text == "recording"
    facts = {fact.one("dt").text: fact.one("dd").text for fact in one.one("dl").all("div")}
    assert facts["Fidelity"].startswith("Verified")
    assert facts["Compression"].startswith(f"{result.array_bytes / result.file_bytes:.2g} : 1")
    assert "nwbridge-memory 1" in one.text
    assert "given by you" in one.text
    assert two.one("p", class_="trouble").text == "two.tif is cut off. Tried 3 times."
    assert [tile.attributes["data-for"] for tile in page.one("ul", class_="grid").children] == ["r0", "r1"]


def test_errors_come_before_warnings_and_say_what_to_do(tmp_path, save, imaging, page_of):
    line = batch(tmp_path, save(*imaging))[0]
    line["findings"] = [
        {"severity": "warning", "message": "later", "advice": "", "where": "", "check": ""},
        {"severity": "error", "message": "first", "advice": "mend it", "where": "x", "check": ""},
        {"severity": "hint", "message": "last", "advice": "", "where": "", "check": ""},
    ]
    card = page_of(results=[line], root=tmp_path).one("article")
    assert card.one("p", class_="status").text == "Written, 1 error"
    shown = [one.text for one in next(card.all("ul", class_="findings")).all("li")]
    assert shown == ["Error first xmend it", "Warning later"]


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"job": 3, "status": ["x"]},
        {"status": "written", "out": "no.nwb"},
        {"status": "written", "findings": [1, None, {}], "fields": {"a": 1}, "elements": [{"shape": 4}]},
        {"status": "written", "seconds": {"total": "x"}, "array_bytes": -1, "file_bytes": True},
    ],
)
def test_takes_whatever_a_line_holds(line, page_of):
    assert page_of(results=[line]).one("article").one("p", class_="status").text


def test_text_from_files_stays_text(tmp_path, save, plane, page_of):
    movie = nwbridge.Movie(
        "<img src=x onerror=1>", lazy(np.ones((2, 3, 4), np.uint8)), plane, rate_hz=1.0, unit=HOSTILE
    )
    line = {
        "job": HOSTILE,
        "status": "failed",
        "message": HOSTILE,
        "source": HOSTILE,
        "plugin": HOSTILE,
        "path": HOSTILE,
    }
    found = save(movie, name=HOSTILE.replace("/", "-"), description=HOSTILE)
    page = page_of(found.out, results=[line])
    assert [
        one.attributes.get("type") for one in page.all("script") if one.attributes.get("type") != "application/json"
    ] == [None]
    assert list(page.all("img")) == []
    assert next(page.all("article")).one("h3").text == HOSTILE
    assert not any(key.startswith("on") for node in page.all() for key in node.attributes)


def test_asks_for_nothing_from_elsewhere(save, imaging, page_of):
    page = page_of(save(*imaging).out)
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    links = [
        value for node in page.all() for key, value in node.attributes.items() if key in ("href", "src", "xlink:href")
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


def test_the_page_can_be_heard(tmp_path, save, imaging, page_of):
    page = page_of(results=batch(tmp_path, save(*imaging)), root=tmp_path)
    assert page.one("html").attributes["lang"] == "en"
    assert len(list(page.all("main"))) == len(list(page.all("h1"))) == 1
    levels = [int(node.tag[1]) for node in page.all() if re.fullmatch(r"h[1-6]", node.tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for svg in page.all("svg"):
        assert svg.attributes.get("aria-hidden") == "true" or (
            svg.attributes["role"] == "img" and svg.attributes["aria-label"]
        )
    for table in page.all("table"):
        assert table.one("caption").text
        assert all(head.attributes["scope"] in ("row", "col") for head in table.all("th"))
    for control in (*page.all("button"), *page.all("select"), *page.all("input")):
        assert control.attributes.get("aria-label") or control.parent.tag == "label"
    known = [node.attributes["id"] for node in page.all() if "id" in node.attributes]
    assert len(known) == len(set(known))


def test_what_cannot_be_read_gets_a_sentence(tmp_path, save, imaging, page_of):
    good = save(*imaging).out
    (tmp_path / "text.nwb").write_text("no HDF5", "utf-8")
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["values"] = [1, 2, 3]
    shutil.copy(good, tmp_path / "cut.nwb")
    with (tmp_path / "cut.nwb").open("r+b") as file:
        file.truncate(20_000)
    page = page_of(good, *(tmp_path / name for name in ("text.nwb", "other.nwb", "cut.nwb")))
    states = [card.one("p", class_="status").text for card in page.all("article")]
    assert states[0].startswith("Read")
    assert states[1:] == ["Cannot be read"] * 3
    said = [card.one("p", class_="trouble").text for card in list(page.all("article"))[1:]]
    assert [words.split()[0] for words in said] == ["text.nwb", "other.nwb", "cut.nwb"]


def test_a_zarr_store_is_told_and_not_drawn(tmp_path, page_of):
    (tmp_path / "a.nwb.zarr").mkdir()
    (tmp_path / "a.nwb.zarr" / ".zgroup").write_text("{}", "utf-8")
    line = {"job": "a", "status": "written", "out": "a.nwb.zarr", "source": "tiff", "file_bytes": 10, "array_bytes": 30}
    card = page_of(results=[line], root=tmp_path).one("article")
    assert card.one("p", class_="status").text == "Written"
    assert "this one is a Zarr store" in card.text


def test_a_picture_that_cannot_be_drawn_spoils_no_other(tmp_path, save, imaging, page_of):
    out = save(*imaging).out
    with h5py.File(out, "r+") as file:
        data = file["acquisition/TwoPhotonSeries/data"]
        data.id.write_direct_chunk((0,) * 3, b"not deflate")
    card = page_of(out).one("article")
    assert "TwoPhotonSeries could not be drawn" in card.one("p", class_="note").text
    assert card.figure("Regions").one("h5").text == "Outlines over the number of regions at each pixel"
    assert card.figure("Traces").json()["tracks"]


def test_the_same_files_make_the_same_page(tmp_path, save, imaging, ephys):
    inputs = [save(*imaging).out, save(*ephys, name="other").out]
    pages = []
    for number, workers in enumerate((1, 2)):
        report.write(inputs, tmp_path / f"{number}.html", made=MADE, check=False, workers=workers)
        pages.append((tmp_path / f"{number}.html").read_text("utf-8"))
    assert pages[0] == pages[1]
    assert pages[0].count("2026-01-02 03:04") == 1


def test_findings_of_files_alone_are_those_of_validate(tmp_path, save, imaging, parsed):
    out = save(*imaging).out
    report.write([out], tmp_path / "report.html", workers=1)
    card = parsed(tmp_path / "report.html").one("article")
    told = [finding.message for finding in nwbridge.validate(out)]
    assert told
    assert all(message in card.text for message in told)


def test_replaces_a_page_only_when_asked(tmp_path, save, imaging):
    out, file = tmp_path / "report.html", save(*imaging).out
    out.write_text("mine", "utf-8")
    with pytest.raises(nwbridge.CannotWrite, match="exists already"):
        report.write([file], out, check=False)
    assert out.read_text("utf-8") == "mine"
    report.write([file], out, check=False, overwrite=True, workers=1)
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize(
    ("out", "message"), [("page.txt", r"should end in \.html"), ("no/page.html", "does not exist"), ("", "should end")]
)
def test_refuses_a_name_that_no_page_can_have(tmp_path, out, message):
    with pytest.raises(nwbridge.CannotWrite, match=message):
        report.write([tmp_path], tmp_path / out)


def test_a_page_of_nothing_is_asked_for_by_a_batch_only(tmp_path, page_of):
    assert "No recording." in page_of(results=[]).text
    with pytest.raises(nwbridge.BadOption, match="no recording was named"):
        report.write([], tmp_path / "a.html")


MORTAL = """
import os
from nwbridge.report import work

def perform(task, shared, progress):
    if task["name"] == "killer":
        os._exit(9)
    return work.perform(task, shared, progress)
"""


def test_a_process_that_dies_costs_its_own_recording_only(save, imaging, tmp_path, monkeypatch):
    good = Path(save(*imaging).out)
    killer = shutil.copy(good, tmp_path / "killer.nwb")
    (tmp_path / "mortal.py").write_text(MORTAL, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    pool = Pool(2, "mortal:perform")
    try:
        found = work.draw_all(
            [Entry("x", good), Entry("killer", Path(killer)), Entry("y", good)],
            2,
            check=False,
            progress=lambda *_: None,
            executor=pool,
        )
    finally:
        pool.close()
    assert found[0] == work.draw_all([Entry("x", good)] * 3, 1, check=False, progress=lambda *_: None)[0]
    assert found[2].figures
    assert found[1].trouble == "killer.nwb ended the process that read it: the file is damaged"
