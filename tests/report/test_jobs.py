"""Each recording of a batch is shown once, by its name, as it ended last."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nwbridge
from nwbridge import report


def failed_later(result, **more):
    written = json.loads(json.dumps(result.as_json(), default=str))
    written |= {"job": "one", "status": "written", "out": Path(result.out).name}
    return [written, {"job": "one", "status": "failed", "message": "no rate", "out": written["out"]} | more]


def test_a_job_that_failed_after_it_had_a_file_is_shown_once(tmp_path, save, imaging, page_of):
    result = save(*imaging)
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in failed_later(result)), "utf-8")
    page = page_of(tmp_path)
    card = page.one("article")
    assert card.one("p", class_="status").text == "Failed"
    expected = "no rate. What is shown here is the file of an earlier run, recording.nwb."
    assert card.one("p", class_="trouble").text == expected
    assert card.figure("Two-photon movie")


def test_a_file_under_an_earlier_name_is_named_on_the_card_of_its_job(tmp_path, save, ephys, page_of):
    first, second = failed_later(save(*ephys))[0], failed_later(save(*ephys, name="renamed"))[0]
    (tmp_path / "results.jsonl").write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n", "utf-8")
    card = page_of(tmp_path).one("article")
    assert card.one("p", class_="status").text.startswith("Written")
    assert card.one("h3").text == "renamed"
    assert "Earlier runs left recording.nwb: " in card.one("p", class_="note").text


def test_a_tile_names_the_animal_and_the_session(tmp_path, save, imaging, ephys, page_of):
    lines = failed_later(save(*ephys, name="voltages"))[:1]
    page = page_of(save(*imaging).out, results=lines, root=tmp_path)
    assert [one.one("b").text for one in page.all("span", class_="tell")] == ["m7 · voltages", "m7 · recording"]


def test_events_alone_have_a_small_picture(save, imaging, ephys, page_of):
    times = np.array([1.0, 2.0, 5.0])
    events = nwbridge.Events("events", (nwbridge.Column("timestamp", times, "seconds"),))
    page = page_of(save(events, name="events").out, save(*ephys).out)
    thumb = next(page.all("svg", class_="thumb"))
    places = [float(x) for x in re.findall(r"M([\d.]+) ", thumb.one("path", class_="ev").attributes["d"])]
    assert places == pytest.approx([0, 250, 1000])


def test_events_of_few_channels_have_a_row_each_and_those_of_many_have_one(save, page_of):
    times = np.arange(1.0, 61.0)
    channels, serial = np.arange(60) % 3 + 4, np.arange(60)
    columns = [nwbridge.Column("timestamp", times, "seconds"), nwbridge.Column("serial", serial)]
    few = nwbridge.Events("few", (*columns, nwbridge.Column("channel", channels)))
    many = nwbridge.Events("many", tuple(columns))
    page = page_of(save(few, many, name="events").out)
    tracks = {one.one("p", class_="label").text: one for one in page.all("div", class_="ticks")}
    rows = {
        name: [one.text for one in next(track.all("div", class_="ys")).all("span")] for name, track in tracks.items()
    }
    assert rows == {"few: 60 events": ["4", "5", "6"], "many: 60 events": []}


@pytest.mark.parametrize(("check", "status"), [(True, "Checked, not drawn"), (False, "Neither drawn nor checked")])
def test_a_zarr_store_alone_is_not_said_to_be_read(tmp_path, save, ephys, parsed, check, status):
    pytest.importorskip("hdmf_zarr", reason="hdmf-zarr is not installed: pip install 'nwbridge[zarr]'")
    nwbridge.convert(save(*ephys).out, tmp_path / "a.nwb.zarr")
    report.write([tmp_path / "a.nwb.zarr"], tmp_path / "z.html", workers=1, check=check)
    card = parsed(tmp_path / "z.html").one("article")
    assert card.one("p", class_="status").text.startswith(status)
    told = [finding.message for finding in nwbridge.validate(tmp_path / "a.nwb.zarr")]
    assert told
    assert all((message in card.text) is check for message in told)
