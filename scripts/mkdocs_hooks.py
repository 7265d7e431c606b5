"""Hooks of mkdocs: the pages of the root join those of docs/, and their links lead within the site.

In the repository every page is read as it is, on a git forge or in an editor; here alone are the
differences. ``mkdocs.yml`` names this file.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
LLMS = "llms.txt"
_LINK = re.compile(r"(\]\()(?:\.\./|docs/)?([\w.-]+)((?:#[\w-]+)?\))")
_PROVED = re.compile(
    r"<table>(?=\s*<thead>(?:(?!</thead>).)*<th>(?:shown by|proof)</th>)", re.DOTALL
)
_TEST = re.compile(r"<code>(test_\w+)</code>")
_INDENT = re.compile(r"^(?:  )+(?=\S)", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand in the root, and ``llms.txt`` with links to pages of the site."""
    for name, target in PAGES.items():
        files.append(File.generated(config, target, content=(ROOT / name).read_text()))
    text = _LINK.sub(r"\1\2\3", within((ROOT / LLMS).read_text()))
    files.append(File.generated(config, LLMS, content=text.replace(".md)", ".html)")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page with its links as the site has them."""
    del config, files
    if page.file.src_uri == PAGES["CHANGELOG.md"]:  # Markdown of Python nests lists by four spaces
        markdown = _INDENT.sub(lambda found: found[0] * 2, markdown)
    return within(markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page where names of tests may break, and tables of proofs are known as such."""
    del page, config, files
    html = _PROVED.sub("<table data-proved>", html)
    return _TEST.sub(lambda found: f"<code>{found[1].replace('_', '_<wbr>')}</code>", html)


def within(markdown: str) -> str:
    """Return a text whose links lead from the root of the site, where all pages stand."""
    return _LINK.sub(lambda found: found[1] + PAGES.get(found[2], found[2]) + found[3], markdown)
