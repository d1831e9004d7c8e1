"""The registry loads each plugin on its own, finds the source of a path and names culprits.

The plugins are real distributions, found by importlib.metadata in a folder on sys.path.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import Ambiguous, BadOption, BadSource, MissingMetadata, NotRecognized, PluginFault, Source
from nwbridge.hookspecs import API_VERSION
from nwbridge.plugins import GROUP, Plugin, Registry, call, installed, load

WORKING = """
    import nwbridge

    def nothing(*arguments):
        return None

    @nwbridge.hookimpl
    def register_sources():
        return [nwbridge.Source("{name}", "{name} files", nothing, nothing, nothing)]
"""
HEAD = "import nwbridge\n"


def distribution(folder: Path, name: str, code: str, version: str = "1.2") -> None:
    """Write a distribution `nwbridge-NAME` with a module `nwbt_NAME`, as an installer leaves it."""
    (folder / f"nwbt_{name}").mkdir(parents=True)
    (folder / f"nwbt_{name}" / "__init__.py").write_text(textwrap.dedent(code), "utf-8")
    info = folder / f"nwbridge_{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: nwbridge-{name}\nVersion: {version}\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = nwbt_{name}\n", "utf-8")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of distributions on sys.path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.startswith("nwbt_")]:
        del sys.modules[name]


def load_from(folder: Path) -> Registry:
    found = importlib.metadata.distributions(path=[str(folder)])
    return load([point for dist in found for point in dist.entry_points if point.group == GROUP])


def loaded(folder: Path, code: str) -> Plugin:
    """The plugin `mine` made of this code."""
    distribution(folder, "mine", code)
    (plugin,) = load_from(folder).plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("mine", "nwbridge-mine", "1.2")
    return plugin


def test_a_working_plugin_is_found_with_name_and_version(site):
    plugin = loaded(site, WORKING.format(name="mine"))
    assert plugin.error is None
    assert plugin.label == "nwbridge-mine 1.2"
    assert [source.name for source in plugin.sources] == ["mine"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('bye')", "SystemExit: bye"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def broken(:", "SyntaxError: "),
        (HEAD + "raise nwbridge.MissingDependency('pip install torch')", "pip install torch"),
        ("NWBRIDGE_API = 99", f"incompatible: written for version 99 of the plugin interface; .* {API_VERSION}"),
        ("x = 1", "registers nothing: expected at least one of register_sources, .*@nwbridge.hookimpl"),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    return []",
            "registers nothing: expected at least one of",
        ),
        (HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    return None", "registers nothing"),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_source():\n    return []",
            "there is no hook register_source; did you mean register_sources",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef sources():\n    return []",
            "there is no hook sources; (did you mean|the hooks are)",
        ),
        ("def register_chekcs():\n    return []", "there is no hook register_chekcs; did you mean register_checks"),
        ("def register_sources():\n    return []", "register_sources is not marked with @nwbridge.hookimpl"),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    return ['mine']",
            "register_sources returned a str; expected a list of Source",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    return {'mine': 1}",
            "register_sources returned a dict; expected a list of Source",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_namespaces():\n    return 'lab.namespace.yaml'",
            "register_namespaces returned a str; expected a list of Path",
        ),
        (
            HEAD + "from pathlib import Path\n@nwbridge.hookimpl\n"
            "def register_namespaces():\n    return [Path('/nowhere/lab.namespace.yaml')]",
            "register_namespaces returned .*lab.namespace.yaml, which is not there",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_checks():\n    return [nwbridge.Check('A b', print)]",
            "Check name 'A b': expected a short lower-case word",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_scores():\n    return [print]",
            "register_scores returned a builtin_function_or_method; expected a list of Score",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_exports():\n    return nwbridge.Export('a', 'b', print)",
            "register_exports returned a Export; expected a list of Export",
        ),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_score():\n    return []",
            "there is no hook register_score; did you mean register_scores",
        ),
        (HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    return [][1]", "IndexError: list index out of range"),
        (
            HEAD + "@nwbridge.hookimpl\ndef register_sources(paths):\n    return []",
            "PluginValidationError: .*paths.* declared in the hookimpl but can not be found",
        ),
        (
            HEAD + "s = nwbridge.Source('mine', 'x', print, print, print)\n"
            "@nwbridge.hookimpl\ndef register_sources():\n    return [s, s]",
            "the name mine is already used by another of its own sources",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_one_line_why_and_the_rest_work(site, code, error):
    distribution(site, "other", WORKING.format(name="other"))
    distribution(site, "mine", code)
    distribution(site, "zebra", WORKING.format(name="zebra"))
    registry = load_from(site)
    broken, *rest = registry.plugins
    assert re.match(error, broken.error), broken.error
    assert "\n" not in broken.error
    assert broken.records == ()
    assert [plugin.error for plugin in rest] == [None, None]
    assert list(registry.sources()) == ["other", "zebra"]
    with pytest.raises(PluginFault, match=r"nwbridge-mine 1\.2 cannot be used: "):
        registry.source("mine")


def test_an_incompatible_plugin_is_not_called(site):
    code = (
        "NWBRIDGE_API = 99\n" + HEAD + "@nwbridge.hookimpl\ndef register_sources():\n    called.append(1)\ncalled = []"
    )
    assert loaded(site, code).error.startswith("incompatible")
    assert sys.modules["nwbt_mine"].called == []


def test_a_plugin_may_state_the_version_that_it_was_written_for(site):
    assert loaded(site, textwrap.dedent(WORKING.format(name="mine")) + f"\nNWBRIDGE_API = {API_VERSION}").error is None


def test_functions_of_other_libraries_are_not_taken_for_misspelt_hooks(site):
    code = (
        textwrap.dedent(WORKING.format(name="mine"))
        + "\nfrom codecs import register_error\nfrom pynwb import register_class"
    )
    assert loaded(site, code).error is None


def test_of_two_plugins_with_one_source_name_the_first_works(site):
    distribution(site, "alpha", WORKING.format(name="shared"))
    distribution(site, "beta", WORKING.format(name="shared"), "7.0")
    registry = load_from(site)
    assert [plugin.error for plugin in registry.plugins] == [
        None,
        "the name shared is already used by nwbridge-alpha 1.2",
    ]
    assert registry.source("shared")[1].label == "nwbridge-alpha 1.2"


def test_the_order_is_that_of_the_names(site):
    for name in ("pear", "apple", "fig"):
        distribution(site, name, WORKING.format(name=name))
    assert [plugin.name for plugin in load_from(site).plugins] == ["apple", "fig", "pear"]
    points = [p for d in importlib.metadata.distributions(path=[str(site)]) for p in d.entry_points]
    assert [plugin.name for plugin in load(reversed(points)).plugins] == ["apple", "fig", "pear"]


def test_an_entry_point_without_a_distribution_is_named_by_its_value(site):
    distribution(site, "mine", WORKING.format(name="mine"))
    (plugin,) = load([importlib.metadata.EntryPoint("mine", "nwbt_mine", GROUP)]).plugins
    assert (plugin.error, plugin.label) == (None, "nwbt_mine unknown")


def test_a_malformed_entry_point_is_listed_as_broken():
    (plugin,) = load([importlib.metadata.EntryPoint("mine", "not a module!", GROUP)]).plugins
    assert plugin.error


def test_the_sources_of_this_project_are_installed():
    assert {"deepcad", "neurofinder"} <= set(installed().sources())


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run nwbridge in a fresh interpreter that has the distributions of `folder` as well."""
    code = "import sys; from nwbridge.cli import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment)


def test_nwbridge_plugins_lists_broken_ones_beside_working_ones(tmp_path):
    distribution(tmp_path, "good", WORKING.format(name="good"), "3.1")
    distribution(tmp_path, "dead", "raise RuntimeError('no licence')")
    distribution(tmp_path, "gone", "import sys; sys.exit(3)")
    distribution(tmp_path, "late", "NWBRIDGE_API = 99")
    done = run(tmp_path, "plugins", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = {plugin["name"]: plugin for plugin in json.loads(done.stdout)}
    assert listed["good"]["error"] is None
    assert listed["good"]["version"] == "3.1"
    assert listed["good"]["sources"][0]["title"] == "good files"
    assert listed["dead"]["error"] == "RuntimeError: no licence"
    assert listed["gone"]["error"] == "SystemExit: 3"
    assert listed["late"]["error"].startswith("incompatible")
    assert listed["neurofinder"]["error"] is None


def test_a_broken_plugin_does_not_keep_others_from_converting(tmp_path, neurofinder):
    distribution(tmp_path / "site", "dead", "raise RuntimeError('no licence')")
    done = run(tmp_path / "site", "convert", str(neurofinder), str(tmp_path / "out.nwb"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verified"] is True


# which source reads a path


def source(name: str, evidence, **changes) -> Source:
    """A source whose `detect` gives this evidence, or raises it."""

    def detect(path):
        if isinstance(evidence, BaseException):
            raise evidence
        return evidence

    return Source(name, f"{name} files", detect, print, print, **changes)


def registry_of(*sources: Source) -> Registry:
    return Registry(tuple(Plugin(s.name, f"nwbridge-{s.name}", "1", sources=(s,)) for s in sources))


def test_the_one_source_with_evidence_is_taken(tmp_path):
    match = registry_of(source("a", None), source("b", "a header"), source("c", "")).detect(tmp_path)
    assert (match.source.name, match.plugin.name, match.evidence) == ("b", "b", "a header")


def test_a_path_that_does_not_exist_is_said_first(tmp_path):
    with pytest.raises(BadSource, match="absent does not exist"):
        registry_of(source("a", "always")).detect(tmp_path / "absent")


def test_a_name_that_is_too_long_does_not_exist(tmp_path):
    with pytest.raises(BadSource, match="does not exist"):
        registry_of(source("a", "always")).detect(tmp_path / ("x" * 5000))


def test_a_path_that_nobody_knows_is_answered_with_what_is_read(tmp_path):
    words = (
        f"no installed source recognizes {tmp_path}; installed: a, b. Look up what each reads with nwbridge plugins; "
        "give one recording inside it, or name its kind with --source NAME"
    )
    with pytest.raises(NotRecognized, match=f"^{re.escape(words)}$"):
        registry_of(source("a", None), source("b", None)).detect(tmp_path)
    with pytest.raises(NotRecognized, match=r"; no plugin is installed$"):
        Registry().detect(tmp_path)


def finds(name, ending):
    """A source that recognizes what ends in `ending`."""
    return Source(name, "", lambda path: "its name" if path.name.endswith(ending) else None, print, print)


def test_recordings_deeper_in_a_folder_are_named(tmp_path):
    for name in ("lab/mouse-1/a.one", "lab/mouse-2/b.one", "lab/mouse-2/c.two", "lab/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    registry = registry_of(finds("one", ".one"), finds("two", ".two"))
    with pytest.raises(NotRecognized) as caught:
        nwbridge.describe(tmp_path / "lab", registry=registry)
    assert str(caught.value) == (
        f"{tmp_path / 'lab'} is not one recording, but holds some "
        f"(one: {Path('mouse-1', 'a.one')} and 1 more; two: {Path('mouse-2', 'c.two')}): "
        "give one of them, or convert all with nwbridge batch"
    )


def test_only_so_much_of_a_folder_is_looked_at(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.one").touch()
    assert [p.name for p in registry_of(finds("one", ".one")).below(tmp_path, 3)["one"]] == ["0.one", "1.one", "2.one"]


def test_a_folder_for_a_source_that_reads_files_is_said_to_be_one(tmp_path):
    with pytest.raises(BadSource, match=f"^caiman reads a file; {re.escape(str(tmp_path))} is a folder$"):
        nwbridge.describe(tmp_path, source="caiman")


def test_several_claims_are_shown_with_their_evidence_and_the_way_out(tmp_path):
    registry = registry_of(source("a", "a header"), source("b", "its name"), source("c", None))
    with pytest.raises(Ambiguous) as caught:
        registry.detect(tmp_path)
    for words in ("a: a header", "b: its name", "--source NAME"):
        assert words in str(caught.value)
    assert "c:" not in str(caught.value).split("(")[1]


@pytest.mark.parametrize(("name", "evidence"), [("a", "a header"), ("b", "its name"), ("c", "named by the user")])
def test_a_named_source_is_taken_whatever_the_others_claim(tmp_path, name, evidence):
    registry = registry_of(source("a", "a header"), source("b", "its name"), source("c", None))
    match = registry.detect(tmp_path, name)
    assert (match.source.name, match.evidence) == (name, evidence)


def test_a_fallback_is_asked_only_where_no_other_has_evidence(tmp_path):
    general = source("tiff", "it is a TIFF", fallback=True)
    assert registry_of(general, source("a", "a header")).detect(tmp_path).source.name == "a"
    assert registry_of(general, source("a", None)).detect(tmp_path).source.name == "tiff"
    with pytest.raises(Ambiguous, match="tiff: it is a TIFF; raw: bytes"):
        registry_of(general, source("raw", "bytes", fallback=True)).detect(tmp_path)


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3), BadSource("damaged"), RecursionError()])
def test_a_source_that_fails_to_look_does_not_recognize(tmp_path, error):
    assert registry_of(source("a", error), source("b", "a header")).detect(tmp_path).source.name == "b"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_zip_gets_a_message_of_its_own(tmp_path, content):
    path = tmp_path / "recording.zip"
    path.write_bytes(content)
    with pytest.raises(BadSource, match=r"recording\.zip is not a complete zip"):
        registry_of(source("a", None)).detect(path)


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.nwb", "A.H5", "a.mat"])
def test_a_cut_off_hdf5_file_is_refused_with_what_is_missing(tmp_path, name):
    with h5py.File(tmp_path / "whole", "w") as file:
        file["values"] = np.arange(1000)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / name).write_bytes(whole[:3000])
    words = f"{name} is cut off: it has 3,000 of {len(whole):,} bytes; copy or download it again"
    with pytest.raises(BadSource, match=f"^{re.escape(words)}$"):
        installed().detect(tmp_path / name)


def test_an_hdf5_file_with_a_damaged_head_is_called_damaged(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 500)
    with pytest.raises(BadSource, match=r"a\.h5 cannot be read as HDF5 \(.*\): it is damaged or of another kind"):
        installed().detect(tmp_path / "a.h5")


def test_a_block_before_an_hdf5_file_is_no_damage(tmp_path):
    with h5py.File(tmp_path / "others.h5", "w", userblock_size=1024) as file:
        file["values"] = np.arange(10)
    with pytest.raises(NotRecognized):
        installed().detect(tmp_path / "others.h5")


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.nwb", "a.isxd", "a.csv", "a"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(BadSource, match=f"^{re.escape(name)} is empty \\(0 bytes\\): copy or download it again$"):
        installed().detect(tmp_path / name)


@pytest.mark.parametrize("content", [b"no signature", b"x" * 5000])
def test_a_file_that_is_only_named_as_hdf5_is_refused(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(BadSource, match=r"a\.h5 is no HDF5 file: it does not begin as one; copy or download it again"):
        installed().detect(tmp_path / "a.h5")


def test_a_whole_zip_that_nobody_knows_is_not_called_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "others.zip", "w") as archive:
        archive.writestr("readme.txt", "no recording")
    with pytest.raises(NotRecognized):
        registry_of(source("a", None)).detect(tmp_path / "others.zip")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("neurofindr", "there is no source neurofindr; did you mean neurofinder?"),
        ("zzz", "there is no source zzz; installed: neurofinder, deepcad"),
    ],
)
def test_a_misspelt_source_is_answered_with_the_nearest_name(tmp_path, name, words):
    registry = registry_of(source("neurofinder", None), source("deepcad", None))
    with pytest.raises(BadOption) as caught:
        registry.detect(tmp_path, name)
    assert str(caught.value) == words


OFFERING = """
    import nwbridge

    def nothing(*arguments):
        return None

    @nwbridge.hookimpl
    def register_processors():
        return [nwbridge.Processor("sharpen", "sharper movies", (nwbridge.Movie,), nothing)]

    @nwbridge.hookimpl
    def register_scores():
        return [nwbridge.Score("likeness", "how alike movies are", nothing)]

    @nwbridge.hookimpl
    def register_exports():
        return [nwbridge.Export("listing", "a list of names", nothing)]
"""


def test_what_a_plugin_offers_is_found_by_name_with_the_plugin(site):
    distribution(site, "mine", OFFERING)
    registry = load_from(site)
    assert [record.name for record in registry.plugins[0].records] == ["sharpen", "likeness", "listing"]
    for kind, name in (("processor", "sharpen"), ("score", "likeness"), ("export", "listing")):
        record, plugin = getattr(registry, kind)(name)
        assert (record.name, plugin.label) == (name, "nwbridge-mine 1.2")


@pytest.mark.parametrize(
    ("kind", "near", "message"),
    [
        ("processor", "sharpn", "there is no step sharpn; did you mean sharpen?"),
        ("score", "likenes", "there is no score likenes; did you mean likeness?"),
        ("export", "zzz", "there is no export zzz; installed: listing"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_of_its_kind(site, kind, near, message):
    distribution(site, "mine", OFFERING)
    with pytest.raises(BadOption) as caught:
        getattr(load_from(site), kind)(near)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["processor", "score", "export"])
def test_a_broken_plugin_says_why_when_it_is_asked_for(site, kind):
    distribution(site, "mine", "1 / 0")
    with pytest.raises(PluginFault, match=r"nwbridge-mine 1\.2 cannot be used: ZeroDivisionError"):
        getattr(load_from(site), kind)("mine")


def test_one_name_may_be_a_source_a_score_and_an_export(site):
    distribution(site, "mine", OFFERING.replace("likeness", "one").replace("listing", "one").replace("sharpen", "one"))
    assert load_from(site).plugins[0].error is None


def test_two_plugins_cannot_have_one_score_name(site):
    for name in ("alpha", "beta"):
        distribution(site, name, OFFERING)
    assert [plugin.error for plugin in load_from(site).plugins] == [
        None,
        "the name sharpen is already used by nwbridge-alpha 1.2",
    ]


def raises(error):
    raise error


PLUGIN = Plugin("mine", "nwbridge-mine", "4.5")


@pytest.mark.parametrize("error", [BadSource("cut off"), MissingMetadata("no rate")])
def test_our_own_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        call(PLUGIN, "describing x", raises, error)
    assert caught.value is error


def test_what_the_system_refuses_is_the_source_s_trouble():
    error = PermissionError(13, "Permission denied", "a.tif")
    with pytest.raises(BadSource) as caught:
        call(PLUGIN, "describing x", raises, error)
    assert str(caught.value) == "Permission denied while describing x: a.tif"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("rate"), "KeyError: 'rate'"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_anything_else_is_the_fault_of_a_plugin_with_name_and_version(error, words):
    with pytest.raises(PluginFault) as caught:
        call(PLUGIN, "describing x", raises, error)
    assert str(caught.value).startswith(f"nwbridge-mine 4.5 failed while describing x: {words}; ")
    assert caught.value.__cause__ is error


def test_an_interrupt_is_nobody_s_fault():
    with pytest.raises(KeyboardInterrupt):
        call(PLUGIN, "describing x", raises, KeyboardInterrupt())


def test_what_a_function_returns_is_returned():
    assert call(PLUGIN, "adding", lambda a, b: a + b, 1, 2) == 3


# a plugin with a kind of element of its own

EXTENSION = """
    from contextlib import contextmanager
    from dataclasses import dataclass
    from pathlib import Path

    import nwbridge
    import tifffile
    from nwbridge.nwb.build import add
    from pynwb import get_class

    HERE = Path(__file__).parent


    @dataclass(frozen=True)
    class Shutter:
        name: str
        data: nwbridge.LazyArray  # (time,), whether light fell
        brand: str


    @add.register
    def _(shutter: Shutter, file, layout):
        kind = get_class("ShutterSeries", "ndx-nwbt-shutter")
        file.add_acquisition(
            kind(name=shutter.name, data=layout.empty(shutter.data), unit="n.a.", rate=7.0, brand=shutter.brand)
        )


    def detect(path):
        return "it is called shutter.tif" if path.name == "shutter.tif" else None


    def describe(path, options):
        values = tifffile.imread(path)
        element = Shutter("Shutter", nwbridge.arrays.from_numpy(values), "Uniblitz")
        return nwbridge.Session("shutter", "A shutter over time.", (element,), files=(path,))


    @nwbridge.hookimpl
    def register_sources():
        return [nwbridge.Source("shutter", "shutters", detect, describe, print)]


    @nwbridge.hookimpl
    def register_namespaces():
        return [HERE / "shutter.namespace.yaml"]
"""
NAMESPACE = """
namespaces:
- name: ndx-nwbt-shutter
  version: 0.1.0
  doc: shutters
  author: [Jane Doe]
  contact: [jane@example.org]
  schema:
  - namespace: core
    neurodata_types: [TimeSeries]
  - source: shutter.extensions.yaml
"""
TYPES = """
groups:
- neurodata_type_def: ShutterSeries
  neurodata_type_inc: TimeSeries
  doc: whether light fell
  attributes:
  - name: brand
    dtype: text
    doc: who made the shutter
"""


@pytest.fixture
def shutters(site):
    distribution(site, "shutter", EXTENSION)
    (site / "nwbt_shutter" / "shutter.namespace.yaml").write_text(NAMESPACE, "utf-8")
    (site / "nwbt_shutter" / "shutter.extensions.yaml").write_text(TYPES, "utf-8")
    registry = load_from(site)
    assert [plugin.error for plugin in registry.plugins] == [None]
    return registry


def test_a_plugin_brings_an_element_and_a_namespace_of_its_own(tmp_path, shutters):
    tifffile.imwrite(tmp_path / "shutter.tif", np.arange(300, dtype=np.uint16).reshape(100, 3) % 7)
    values = tifffile.imread(tmp_path / "shutter.tif")
    given = {"Subject": {"species": "Mus musculus", "subject_id": "m1"}}
    out = tmp_path / "out.nwb"
    result = nwbridge.convert(tmp_path / "shutter.tif", out, metadata=given, registry=shutters)
    assert result.verified
    assert [finding for finding in result.findings if finding.severity == "error"] == []
    with h5py.File(out) as file:
        stored = file["acquisition/Shutter"]
        assert stored.attrs["neurodata_type"] == "ShutterSeries"
        assert stored.attrs["brand"] == "Uniblitz"
        np.testing.assert_array_equal(stored["data"][()], values)
    code = """
import sys
from pynwb import NWBHDF5IO
with NWBHDF5IO(sys.argv[1], "r") as io:
    series = io.read().acquisition["Shutter"]
    print(type(series).__name__, series.brand, int(series.data[5].sum()), "nwbridge" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True)
    assert done.stdout.split() == ["ShutterSeries", "Uniblitz", str(int(values[5].sum())), "False"], done.stderr


def test_a_broken_namespace_harms_no_file_that_does_not_need_it(tmp_path, site, neurofinder):
    code = HEAD + (
        "from pathlib import Path\n@nwbridge.hookimpl\n"
        "def register_namespaces():\n    return [Path(__file__).with_name('torn.namespace.yaml')]"
    )
    distribution(site, "torn", code)
    (site / "nwbt_torn" / "torn.namespace.yaml").write_text("namespaces: [", "utf-8")
    registry = load_from(site)
    nwbridge.convert(neurofinder, tmp_path / "out.nwb")
    findings = nwbridge.validate(tmp_path / "out.nwb", registry=registry)
    told = [finding for finding in findings if finding.check == "namespaces"]
    assert [finding.severity for finding in told] == ["warning"]
    assert "nwbridge-torn 1.2: the NWB namespace torn.namespace.yaml cannot be loaded" in told[0].message
    assert not any(finding.severity == "error" for finding in findings)


# a plugin with checks of its own

CHECKS = """
    import nwbridge

    def tell(session, path):
        return [
            nwbridge.Finding("hint", "the lamp was old", check="lamp"),
            nwbridge.Finding("error", f"{type(session).__name__}: the\\nlens is dirty", "clean it", check="lens"),
        ]

    def fail(session, path):
        raise RuntimeError("the check itself is broken")

    def mumble(session, path):
        return ["looks fine"]

    @nwbridge.hookimpl
    def register_checks():
        return [
            nwbridge.Check("fail", fail),
            nwbridge.Check("mumble", mumble),
            nwbridge.Check("tell", tell, applies_to=("neurofinder",)),
        ]
"""


@pytest.fixture
def checking(site):
    distribution(site, "checks", CHECKS)
    return Registry((*installed().plugins, *load_from(site).plugins))


def test_findings_of_a_plugin_s_checks_are_in_the_result_and_in_validate(tmp_path, neurofinder, checking):
    out = tmp_path / "out.nwb"
    result = nwbridge.convert(neurofinder, out, registry=checking)
    assert out.exists()
    assert not result.ok
    for findings, session in ((result.findings, "Session"), (nwbridge.validate(out, registry=checking), "NoneType")):
        by_check = {finding.check: finding for finding in findings}
        assert by_check["lens"].message == f"{session}: the lens is dirty"
        assert by_check["lens"].severity == "error"
        assert by_check["lamp"].severity == "hint"
        assert findings.index(by_check["lens"]) < findings.index(by_check["lamp"])


def test_a_check_is_asked_only_about_the_sources_that_it_applies_to(tmp_path, deepcad, checking):
    given = {"Subject": {"species": "Mus musculus", "subject_id": "m1"}, "Ophys": {"TwoPhotonSeries": [{"rate": 30}]}}
    nwbridge.convert(deepcad, tmp_path / "out.nwb", metadata=given, registry=checking)
    checks = {finding.check for finding in nwbridge.validate(tmp_path / "out.nwb", registry=checking)}
    assert "fail" in checks
    assert not checks & {"lens", "lamp"}


def test_a_check_that_fails_is_a_warning_and_no_failure(tmp_path, neurofinder, checking):
    nwbridge.convert(neurofinder, tmp_path / "out.nwb")
    findings = {finding.check: finding for finding in nwbridge.validate(tmp_path / "out.nwb", registry=checking)}
    assert findings["fail"].severity == "warning"
    assert findings["fail"].message.startswith("nwbridge-checks 1.2 failed while checking out.nwb: RuntimeError: the")
    assert findings["mumble"].severity == "warning"
    assert findings["mumble"].message.startswith("nwbridge-checks 1.2: check mumble returned ['looks fine']; expected")
