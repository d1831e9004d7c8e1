"""The page in a real browser: what runs in it, and that nothing leaves it."""

import csv
import json
import re
import shutil
import time
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
from steps import ALL

import nwbridge
from nwbridge import report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
ScrollOrigin = pytest.importorskip("selenium.webdriver.common.actions.wheel_input").ScrollOrigin
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with chromedriver is installed")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-prefers-reduced-motion",  # a click finds its button at once
    "--window-size=1200,900",
)
HOSTILE = "</script><script>window.hacked=1</script><b onclick='window.hacked=1'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser that keeps its console and every request."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def page(recorded, tmp_path_factory):
    """A page of a movie, a voltage, and two recordings that failed."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    lines = [
        {"job": name, "status": "failed", "message": message, "source": "tiff"}
        for name, message in (("broken", "it is cut off"), (HOSTILE, HOSTILE))
    ]
    report.write(recorded, out, results=lines, check=False, workers=1)
    return out


@pytest.fixture
def opened(browser, page, recorded, tmp_path):
    """The browser, looking at the page as if for the first time."""
    (tmp_path / "downloads").mkdir()
    keep = {"behavior": "allow", "downloadPath": str(tmp_path / "downloads")}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", keep)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())
    browser.files = recorded
    yield browser
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.fixture(scope="module")
def processed(recorded, tmp_path_factory):
    """A page of a movie with what a step made of it."""
    folder = tmp_path_factory.mktemp("processed")
    nwbridge.process(recorded[0], folder / "processed.nwb", "add", options={"amount": 40.0}, registry=ALL, verify=False)
    report.write([folder / "processed.nwb"], folder / "processed.html", check=False, workers=1)
    return folder / "processed.html"


def figure(browser, title):
    return next(
        f
        for f in browser.find_elements("css selector", ".fig")
        if f.find_element("css selector", "h4").text.startswith(title)
    )


def inside(element, selector):
    return element.find_elements("css selector", selector)


def saved(folder, element, what):
    """The bytes that a button saves."""
    before = set(folder.iterdir())
    inside(element, f"[data-save={what}]")[0].click()
    for _ in range(100):
        new = [
            p for p in folder.iterdir() if p not in before and p.suffix != ".crdownload" and not p.name.startswith(".")
        ]
        if new:
            return new[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def table(path):
    return list(csv.reader(path.read_text("utf-8").splitlines()))


def span(element):
    return [float(n) for n in re.findall(r"[\d.]+", inside(element, ".range")[0].text)]


def test_nothing_is_wrong_and_nothing_is_asked_for(opened):
    assert [entry for entry in opened.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    asked = {e["request"]["url"] for e in sent if e["documentURL"].startswith("file:")}  # not those of an empty tab
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert len({url for url in asked if url.startswith("file")}) == 1
    assert opened.execute_script("return window.hacked") is None
    assert opened.execute_script("return document.querySelectorAll('script:not([type])').length") == 1


def test_cards_and_tiles_are_chosen_together(opened):
    def shown():
        return [[e.text != "" for e in opened.find_elements("css selector", which)] for which in (".card", ".grid li")]

    assert shown() == [[True] * 4] * 2
    opened.find_element("id", "by-level").send_keys("failed")
    assert shown() == [[True, True, False, False]] * 2
    assert opened.find_element("id", "shown").text == "2 of 4 shown"
    opened.find_element("id", "by-text").send_keys("CUT off")
    assert shown() == [[True, False, False, False]] * 2
    opened.find_element("id", "by-level").send_keys("all")
    opened.find_element("id", "by-text").clear()
    opened.find_element("id", "by-text").send_keys("voltages")
    assert shown() == [[False, False, False, True]] * 2
    opened.find_element("id", "by-text").clear()
    opened.find_element("id", "by-text").send_keys(" ")
    opened.find_element("id", "by-source").send_keys("tiff")
    assert shown() == [[True, True, False, False]] * 2


def test_the_time_axis_is_moved_by_keys_wheel_and_buttons(opened):
    plot = inside(opened, ".fig.time")[-1]
    box = inside(plot, ".time")[0]
    first, last = span(plot)
    path = inside(plot, "path.ln")[1].get_attribute("d")
    box.send_keys("+")
    wait(lambda: span(plot)[1] < last)
    low, high = span(plot)
    assert high - low == pytest.approx((last - first) / 2, rel=0.02)
    assert inside(plot, "path.ln")[1].get_attribute("d") != path
    labels = [float(e.text.replace("−", "-")) for e in inside(plot, ".xs span")]
    assert all(low - 0.01 <= value <= high + 0.01 for value in labels)
    box.send_keys("\ue014")  # the right arrow
    wait(lambda: span(plot)[0] > low)
    assert span(plot)[1] - span(plot)[0] == pytest.approx(high - low, abs=0.02)
    box.send_keys("0")
    wait(lambda: span(plot) == [first, last])
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", box)
    wheel(opened, box, -240)
    wait(lambda: span(plot)[1] - span(plot)[0] < last - first)
    inside(plot, "[data-zoom='0']")[0].click()
    wait(lambda: span(plot) == [first, last])
    inside(plot, "[data-zoom='0.5']")[0].click()
    wait(lambda: span(plot)[1] < last)


def test_the_wheel_scrolls_the_page_over_a_plot_that_nobody_chose(opened):
    plot = inside(opened, ".fig.time")[-1]
    box = inside(plot, ".time")[0]
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'}); document.activeElement.blur()", box)
    before, place = span(plot), opened.execute_script("return scrollY")
    wheel(opened, box, -200)
    wait(lambda: opened.execute_script("return scrollY") < place)
    assert span(plot) == before


def test_the_time_axis_is_dragged(opened):
    plot = inside(opened, ".fig.time")[-1]
    box = inside(plot, ".time")[0]
    box.send_keys("+")
    wait(lambda: span(plot)[0] > 0.5)
    low, high = span(plot)
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
    webdriver.ActionChains(opened).move_to_element(box).click_and_hold().move_by_offset(100, 0).release().perform()
    wait(lambda: span(plot)[0] < low)
    assert span(plot)[1] - span(plot)[0] == pytest.approx(high - low, abs=0.02)


def wait(is_so):
    for _ in range(100):
        if is_so():
            return
        time.sleep(0.03)
    raise AssertionError("it did not happen")


def wheel(browser, element, by):
    origin = ScrollOrigin.from_element(element)
    webdriver.ActionChains(browser).scroll_from_origin(origin, 0, by).perform()


def test_at_the_finest_zoom_the_highest_sample_stands_where_it_was(opened, tools):
    plot = inside(opened, ".fig.time")[-1]
    path = inside(plot, ".track.line path.ln")[1]
    numbers = [float(n) for n in re.findall(r"V(-?[\d.]+)", path.get_attribute("d"))]
    bounds = opened.execute_script(
        "return JSON.parse(arguments[0].querySelector('script.data').textContent).tracks[1].bounds", plot
    )
    tops = [y for y in numbers if bounds[1] - y / 100 * (bounds[1] - bounds[0]) > 1.9]
    assert len(tops) == len(tools.SPIKES)


def test_saves_the_numbers_that_are_drawn(opened, tmp_path, tools):
    with h5py.File(opened.files[1]) as file:
        stored = file["acquisition/voltage/data"][:] * 1000
    rows = table(saved(tmp_path / "downloads", inside(opened, ".fig.time")[-1], "csv"))
    assert rows[0] == ["series", "unit", "time_s", "low", "high", "samples"]
    drawn = np.array([row[2:6] for row in rows if row[0] == "voltage"], float)
    pieces = stored.reshape(-1, 30)
    quantum = (stored.max() - stored.min()) / 65534
    assert (drawn[:, 3] == 30).all()
    assert np.abs(drawn[:, 1] - pieces.min(axis=1)).max() <= quantum
    assert np.abs(drawn[:, 2] - pieces.max(axis=1)).max() <= quantum
    assert np.abs(drawn[:, 0] - (np.arange(len(pieces)) * 30 + 14.5) / tools.VOLT_RATE).max() < 1e-6
    assert [float(row[2]) for row in rows if row[0] == "voltage: 4 spikes"] == pytest.approx(tools.SPIKES, abs=1e-6)


def test_saves_the_values_of_a_projection_and_its_picture(opened, tmp_path, tools):
    movie = figure(opened, "Two-photon movie")
    rows = table(saved(tmp_path / "downloads", movie, "csv"))
    values = np.array([row[3:] for row in rows if row[0] == "Mean"], float)
    mean = tools.frames().mean(axis=0)
    low, high = np.percentile(mean, (1.0, 99.8))
    assert values.shape == mean.shape
    assert np.abs(values - np.clip(mean, low, high)).max() <= (high - low) / 255
    picture = saved(tmp_path / "downloads", movie, "picture").read_text("utf-8")
    assert picture.startswith("<svg xmlns=")
    assert picture.count("data:image/png;base64,") == 2
    assert len(list(ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}image"))) == 2


def test_saves_outlines_tables_and_plots(opened, tmp_path, tools):
    rows = table(saved(tmp_path / "downloads", figure(opened, "Regions"), "csv"))
    assert rows[0] == ["region", "status", "outline", "x", "y"]
    corners = {(int(x), int(y)) for region, status, _, x, y in rows[1:] if (region, status) == ("10", "accepted")}
    assert corners == {(5, 3), (6, 3), (6, 6), (8, 6), (8, 7), (5, 7)}  # of the L, x before y
    plot = figure(opened, "Spikes on one another")
    shape = table(saved(tmp_path / "downloads", plot, "csv"))
    assert len(shape) == 42
    assert float(shape[21][1]) == pytest.approx(2, abs=1e-3)
    assert '<path class="ln"' in saved(tmp_path / "downloads", plot, "picture").read_text("utf-8")


def test_pages_through_the_kinds_of_traces(opened):
    plot = figure(opened, "Traces")
    names = [e.text for e in inside(plot, ".track") if e.text]
    assert names[0].startswith("Region 10: ΔF/F")
    inside(plot, "[data-page='1']")[0].click()
    wait(lambda: [e.text for e in inside(plot, ".track") if e.text] != names)
    visible = [e for e in inside(plot, ".track") if e.text]
    assert visible[0].text.startswith("Region 10: fluorescence")
    assert len(inside(visible[0], "path.ln")[0].get_attribute("d")) > 500


def test_paper_shows_everything(opened):
    pdf = opened.execute_cdp_cmd("Page.printToPDF", {})
    assert pdf["data"].startswith("JVBERi0")  # %PDF-
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    opened.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert all(d.get_attribute("open") for d in inside(opened, "details"))
    assert not any(e.is_displayed() for e in inside(opened, ".tools, .filter, .skip"))
    assert (
        opened.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    opened.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not any(d.get_attribute("open") for d in inside(opened, "details"))


def test_a_phone_needs_no_sideways_scrolling(opened):
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 340, "height": 700, "deviceScaleFactor": 2, "mobile": True}
    )
    opened.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert opened.execute_script("return document.documentElement.scrollWidth") == 340


CONTRAST = """
const part = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * part(r / 255) + 0.7152 * part(g / 255) + 0.0722 * part(b / 255);
const parse = (words) => words.match(/[\\d.]+/g).map(Number);
function ground(element) {
  for (; element; element = element.parentElement) {
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}
document.querySelectorAll("details").forEach((one) => { one.open = true; });
const says = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const texts = [...document.querySelectorAll("body *")].filter(
  (element) => !element.closest("svg, script, .skip") && element.offsetParent && says(element));
return texts.map((element) => {
  const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))];
  const words = `${element.className}: ${element.textContent.slice(0, 30)}`;
  return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), words];
});
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(opened, scheme):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    found = opened.execute_script(CONTRAST)
    assert len(found) > 100
    assert [entry for entry in found if entry[0] < 4.5] == []
    ground = opened.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == (scheme == "dark")


def test_every_control_can_be_reached_and_seen_with_the_keyboard(opened):
    reached = []
    for _ in range(200):
        webdriver.ActionChains(opened).send_keys("\ue004").perform()  # tab
        element = opened.switch_to.active_element
        if element.tag_name == "body":
            break
        name = element.get_attribute("aria-label") or element.text or element.get_attribute("id")
        seen = opened.execute_script("return getComputedStyle(arguments[0]).outlineStyle", element)
        reached.append((element.tag_name, bool(name), seen))
    assert all(named and seen == "solid" for _, named, seen in reached), reached
    kinds = {tag for tag, _, _ in reached}
    assert {"a", "select", "input", "div", "button", "summary"} <= kinds


def test_all_is_still_for_whom_movement_disturbs(opened):
    ask = "return getComputedStyle(document.documentElement).scrollBehavior"
    for wish, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        opened.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": wish}]}
        )
        assert opened.execute_script(ask) == behaviour


def test_without_a_running_program_plots_are_there_and_controls_are_not(opened):
    opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    opened.refresh()
    assert not any(e.is_displayed() for e in opened.find_elements("css selector", ".tools, .filter"))
    paths = opened.find_elements("css selector", ".track:not([hidden]) path.ln")
    assert paths
    assert all(len(path.get_attribute("d")) > 100 for path in paths)


def test_what_a_line_was_made_from_is_drawn_and_saved_with_it(opened, processed, tmp_path):
    opened.get(processed.as_uri())
    plot = figure(opened, "Over time before and after")
    before = [inside(plot, which)[0].get_attribute("d") for which in ("path.bf", "path.ln")]
    inside(plot, "[data-zoom='0.5']")[0].click()
    wait(lambda: inside(plot, "path.bf")[0].get_attribute("d") != before[0])
    assert inside(plot, "path.ln")[0].get_attribute("d") != before[1]
    rows = table(saved(tmp_path / "downloads", plot, "csv"))[1:]
    names = list(dict.fromkeys(row[0] for row in rows))
    assert names == ["Region 10: Brighter", "Region 10: Brighter, grey: TwoPhotonSeries"]
    high, low = (np.array([float(row[3]) for row in rows if row[0] == name]) for name in names)
    assert np.abs(high - low - 40).max() < 0.1
    assert '<path class="bf"' in saved(tmp_path / "downloads", plot, "picture").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_processed_file_can_be_read_on_a_phone_and_in_the_dark(opened, processed, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 340, "height": 700, "deviceScaleFactor": 2, "mobile": True}
    )
    opened.get(processed.as_uri())
    assert [entry for entry in opened.execute_script(CONTRAST) if entry[0] < 4.5] == []
    assert opened.execute_script("return document.documentElement.scrollWidth") == 340
    assert len(inside(opened, ".history li")) == 1
