"""The examples of the documentation, run as they stand there."""

import re
from pathlib import Path
from types import SimpleNamespace

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def source_of(page, name):
    """The one block of a page that defines a class or a function of that name."""
    defines = re.compile(rf"^(?:class|def|async def) {name}\b", re.MULTILINE)
    (code,) = filter(defines.search, BLOCK.findall((DOCS / page).read_text()))
    return code


def run_example(page, name, **given):
    """Run that block, with the names that it takes for granted; give what it defined."""
    names = {"__name__": f"example_{name}", **given}
    exec(compile(source_of(page, name), page, "exec"), names)
    return SimpleNamespace(**names)
