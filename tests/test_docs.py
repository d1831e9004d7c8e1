"""What the docs show is run: console blocks are typed, Python blocks executed, links followed, names looked up."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typed import typed

from nwbridge import hookspecs
from nwbridge.cli.main import build_parser
from nwbridge.metadata import UNKNOWN

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS_SHELL = re.compile(r"[|&;<>$*?~\\`]")


def page_id(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, *kinds):
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in kinds]


def environment(folder):
    """The installed command first, and whatever a page made importable."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    importable = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PATH": path, "PYTHONPATH": importable, "COLUMNS": "120"}


def fits(shown, printed):
    """Whether the output is what is shown; … stands for anything, and alone on a line for any lines."""
    pattern = "".join(
        r"(.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))).replace(r"\ ", " +") + r" *\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def type_in(block, folder, in_shell):
    """Run each command of a console block and compare what it prints with what the page shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        if in_shell or NEEDS_SHELL.search(command) or not command.startswith("nwbridge "):
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
            )
            printed = done.stdout + done.stderr
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                patch.setenv("COLUMNS", "120")
                printed = "".join(typed(shlex.split(command)[1:], folder)[1:])
        assert fits(shown, printed), f"{command}\nshown:\n{shown}\nprinted:\n{printed}"


def save(name, text, folder):
    """Keep a block that begins with a file's name; a plugin's entry point is installed as pip would."""
    (folder / name).write_text(text, "utf-8")
    if name == "pyproject.toml":
        import tomllib

        project = tomllib.loads(text)["project"]
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", "utf-8")
        lines = [f"{name} = {value}" for name, value in project["entry-points"]["nwbridge"].items()]
        (info / "entry_points.txt").write_text("\n".join(["[nwbridge]", *lines]), "utf-8")


def execute(kind, text, folder, in_shell):
    named = re.match(r"# (\S+\.(?:py|toml))\n", text)
    if named:
        save(named.group(1), text, folder)
    elif kind == "yaml":
        (folder / "lab.yaml").write_text(text, "utf-8")
    elif kind == "console":
        type_in(text, folder, in_shell)
    elif kind == "python":
        subprocess.run([sys.executable, "-W", "error", "-c", text], cwd=folder, env=environment(folder), check=True)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_a_page_shows_happens(page, tmp_path):
    for kind, text in blocks(page, "console", "python", "yaml", "toml"):
        execute(kind, text, tmp_path, page.name == "README.md")
    for test in tmp_path.glob("test_*.py"):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_plugins_that_the_docs_show_have_under_fifty_lines():
    shown = [text for _, text in blocks(ROOT / "docs" / "plugins.md", "python") if text.startswith("# nwbridge_")]
    assert len(shown) == 2  # a source and a processor
    assert max(len(source.splitlines()) for source in shown) < 50


def test_every_hook_and_every_field_of_a_record_is_documented():
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    hooks = [name for name in vars(hookspecs.Hooks) if name.startswith("register_")]
    assert [name for name in hooks if f"`{name}()`" not in text] == []
    for record in (
        hookspecs.Source,
        hookspecs.Processor,
        hookspecs.Check,
        hookspecs.Score,
        hookspecs.Scores,
        hookspecs.Export,
    ):
        head = re.search(rf"\*\*`{record.__name__}\((.*?)\)`\*\*", text).group(1)
        assert [part.split("=")[0] for part in head.split(", ")] == list(record.__dataclass_fields__)


def test_every_command_and_flag_is_documented():
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    commands = build_parser()._subparsers._group_actions[0].choices
    flags = {flag for command in commands.values() for action in command._actions for flag in action.option_strings}
    assert [name for name in commands if f"## {name}" not in text] == []
    assert [flag for flag in flags - {"-h", "--help"} if flag not in text] == []


def test_every_marked_unknown_is_documented():
    text = (ROOT / "docs" / "metadata.md").read_text("utf-8")
    assert [key for key in UNKNOWN if key.split(".")[-1] not in text and not key.endswith(".rate")] == []


def test_the_makefile_has_the_commands_that_the_readme_names():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in re.findall(r"`?make (\w+)", (ROOT / "README.md").read_text("utf-8")):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_no_tracked_file_names_a_place_of_one_machine():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    words = [shlex.quote(word) for word in ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")]
    for name in tracked.stdout.splitlines():
        text = (ROOT / name).read_text("utf-8", "ignore") if (ROOT / name).is_file() else ""
        assert not [word for word in words if word in text], name
