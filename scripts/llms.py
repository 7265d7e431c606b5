"""Write ``llms.txt`` from the list of pages in README.md: ``make docs``. ``--check`` only compares.

Its form is that of llmstxt.org: a title, a quotation, lists of links with a line for each.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TARGET = ROOT / "llms.txt"
_SECTION = re.compile(r"^\*\*([^*\n]+)\*\*\n\n((?:- .*\n(?:  .*\n)*)+)", re.MULTILINE)
_PAGE = re.compile(r"- \[([^]]+)\]\(([^)]+)\): (.+)")
_MORE = """\
- [Changelog](CHANGELOG.md): what a user would notice, newest first
- [Contributing](CONTRIBUTING.md): where things are in the code, and what belongs to a change
"""


def sections(readme: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return the lists of the section "Read on": title, file and description of each page."""
    _, _, text = readme.partition("\n## Read on\n")
    return {
        heading: _PAGE.findall(re.sub(r"\n  +", " ", pages))
        for heading, pages in _SECTION.findall(text)
    }


def llms(readme: str) -> str:
    """Return the text of ``llms.txt``."""
    title, intro = readme.split("\n\n", 2)[:2]
    parts = [title, "\n".join(f"> {line}" for line in intro.splitlines())]
    for heading, pages in sections(readme).items():
        lines = [f"- [{name}]({file}): {said}" for name, file, said in pages]
        parts.append(f"## {heading}\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, f"## Optional\n\n{_MORE}"])


def main() -> int:
    """Write the file where it differs, or only say so."""
    text = llms(README.read_text())
    is_stale = not TARGET.exists() or TARGET.read_text() != text
    if is_stale:
        print("llms.txt differs from README.md", file=sys.stderr)
        if "--check" not in sys.argv:
            TARGET.write_text(text)
    return int(is_stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
