"""The site of the documentation: built strictly, whole, and asking no other host for anything."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.programs import skip_or_fail

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts"
LOADS = re.compile(r"<(?:script|img|iframe|source)[^>]* src=\"([^\"]+)|<link[^>]* href=\"([^\"]+)")
LINK = re.compile(r"(?:href=\"|\]\()([\w./-]+\.\w+)[#\")]")
FENCED = re.compile(r"^```(?!json)\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WIDEST = 107
"""Characters of a line of code that a screen of 1366 pixels shows, in the font of docs/site.css."""
NAV = re.compile(r"^      - (.+): ([\w-]+\.md)$", re.MULTILINE)


def build(folder):
    """Build the site; return what mkdocs said, and whether it was content."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
    ]  # --quiet hides warnings from --strict as well
    command += ["--site-dir", str(folder)]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # about successors of the tool, not of us
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr, done.returncode == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a built site."""
    if importlib.util.find_spec("material") is None:
        skip_or_fail("mkdocs", "mkdocs is not installed; install it: pip install --group docs")
    folder = tmp_path_factory.mktemp("site")
    said, is_built = build(folder)
    assert is_built, said
    assert {line.split()[0] for line in said.splitlines()} == {"INFO"}, said
    return folder


def test_every_page_is_in_the_site(site):
    """Those of docs/, and those of the root; so are the pictures and ``llms.txt``."""
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}

    assert pages | {"index", "changelog", "contributing"} <= {p.stem for p in site.glob("*.html")}
    assert (site / "demo.png").exists()


def test_no_page_asks_another_host(site):
    """No font, script, picture or style comes from elsewhere: nobody learns who reads."""
    for page in site.rglob("*.html"):
        loaded = [one or other for one, other in LOADS.findall(page.read_text())]
        assert loaded
        assert [url for url in loaded if "//" in url] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text()), style.name


def test_names_of_tests_may_break(site):
    """Else a table of proofs is half names, and the words that they prove have no room."""
    page = (site / "promises.html").read_text()

    assert page.count("<table data-proved>") == page.count("<table") == 2
    assert "<code>test_<wbr>" in page
    assert re.findall(r"<code>test_\w+</code>", page) == []
    assert 'href="site.css"' in page
    assert "[data-proved]" in (site / "site.css").read_text()


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_no_line_of_code_is_cut(page):
    """What is wider than the page of a laptop is out of sight: comments have lines of their own."""
    lines = [line for block in FENCED.findall(page.read_text()) for line in block.splitlines()]

    assert [line for line in lines if len(line) > WIDEST] == []


def test_links_of_the_site_lead_within_it(site):
    """Those of README.md and llms.txt too, which stand elsewhere in the repository."""
    for page in [*site.glob("[!4]*.html"), site / "llms.txt"]:  # of 404.html links are absolute
        for link in LINK.findall(page.read_text()):
            assert (site / link).exists(), f"{page.name}: {link}"


def test_navigation_is_the_list_of_the_readme(monkeypatch):
    """One order for whoever reads on, on a git forge and in the site."""
    monkeypatch.syspath_prepend(SCRIPTS)
    llms = importlib.import_module("llms")
    pages = [page for part in llms.sections(llms.README.read_text()).values() for page in part]
    nav = NAV.findall((ROOT / "mkdocs.yml").read_text())

    assert nav[: len(pages)] == [(name, file.removeprefix("docs/")) for name, file, _ in pages]
    assert {file for _, file in nav[len(pages) :]} == {"changelog.md", "contributing.md"}


def test_every_page_is_in_the_readme_and_in_llms_txt():
    """No page is missed by whoever reads on, and none by a program: ``make docs`` writes it."""
    script = [sys.executable, str(SCRIPTS / "llms.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + "write: make docs"

    text = (ROOT / "llms.txt").read_text()
    pages = sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))
    assert sorted(re.findall(r"^- \[[^]]+\]\((docs/[^)]+)\): \w", text, re.MULTILINE)) == pages
    assert re.match(r"# \w+\n\n> \w", text)
