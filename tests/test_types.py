"""What the documentation shows passes type checkers: each Python block, by mypy and by pyright.

A block is checked as it stands, in a module of its own; where it awaits outside a function, in an
``async def``. A fragment may use what it does not define: public names of sessile, what a block
before it on the page imports, and ``NAMES``. A comment in the line before a block adds to them::

    <!-- types: app: flask.Flask; admins: set[str] -->
    <!-- types: unchecked, because no checker reads pseudo-code -->
"""

import ast
import builtins
import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import sessile

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- types: (?P<note>[^\n]*) -->\n)?^```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
UNCHECKED = re.compile(r"unchecked, because \w+")

NAMES = {
    "app": "starlette.applications.Starlette",
    "new": "str",
    "old": "str",
    "request": "starlette.requests.Request",
    "session": "sessile.Session",
    "session_id": "str",
    "sessions": "sessile.Sessions",
    "websocket": "starlette.websockets.WebSocket",
}
"""Names that any fragment may use, and what they are."""

WRONG = """\
# A page whose examples are wrong

```python
from sessile import Sessions

sessions = Sessions(42)
```

```python
await sessions.end(1)
```

<!-- types: count: int; told: collections.abc.Callable[[str], None] -->
```python
told(count)
nobody.knows(this)
```

```python
session["cart"] = ["socks", 3]
session["cart"].append("hat")
session["cart"] = object()
session.nickname = "al"
session.user = "alice"
```

<!-- types: clerk: sessile.Clerk -->
```python
clerk.serve()
```
"""
WRONG_LINES = [6, 10, 15, 16, 22, 23, 24, 29]
"""A checker that finds no fault with these lines is not asked rightly."""


@dataclass(frozen=True)
class Block:
    """One block of a page.

    Attributes:
        page: its file's name.
        line: the first line of its code.
        note: what the comment before it says, or "".
        code: its text.
    """

    page: str
    line: int
    note: str
    code: str

    @property
    def checked(self):
        return not self.note.startswith("unchecked")

    @property
    def types(self):
        """Names that the comment before it adds, and what they are."""
        if not self.checked:
            return {}
        return dict(
            re.split(r":\s*", part.strip(), maxsplit=1) for part in self.note.split(";") if part
        )


def blocks_of(page, text):
    return [
        Block(
            page,
            line=text.count("\n", 0, match.start("code")) + 1,
            note=match["note"] or "",
            code=match["code"],
        )
        for match in BLOCK.finditer(text)
    ]


def blocks():
    return [block for page in PAGES for block in blocks_of(page.name, page.read_text())]


def parse(code):
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(code, "block", "exec", flags)  # type: ignore[return-value]


def free_names(code):
    """The names that a block uses and nobody in it defines."""
    used, defined = set(), set(vars(builtins))
    for node in ast.walk(parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case (
                ast.Name(id=name)
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.MatchAs(name=str(name))
            ):
                defined.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                defined |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
    return used - defined


def imports_of(code):
    """The names that a block imports, and the statement that does."""
    return {
        alias.asname or alias.name: f"from {node.module} import {ast.unparse(alias)}"
        for node in parse(code).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def awaits_outside(code):
    try:
        compile(code, "block", "exec")
    except SyntaxError:
        return True
    return False


def names_for(block, imported):
    """The imports that a block takes for granted, and the types of what else it does."""
    missing = free_names(block.code) - set(block.types)
    imports = {name: imported[name] for name in missing & set(imported)}
    types = {name: NAMES[name] for name in (missing - set(imports)) & set(NAMES)}
    public = (missing - set(imports) - set(types)) & set(sessile.__all__)
    imports |= {name: f"from sessile import {name}" for name in public}
    return sorted(imports.values()), types | block.types


def write_page(folder, blocks_of_page):
    """Write a module for each block of a page; give {file: its block, how far its lines moved}."""
    imported = {}
    written = {}
    for block in blocks_of_page:
        if block.checked:
            written |= write_module(folder, block, *names_for(block, imported))
            imported |= imports_of(block.code)
    return written


def write_module(folder, block, before, types):
    """Write the module of one block, and a stub of the names that it takes for granted."""
    module = f"{Path(block.page).stem.lower().replace('-', '_')}_{block.line}"
    written = {}
    if types:
        (folder / f"{module}_names.pyi").write_text(stub(types))
        written[f"{module}_names.pyi"] = block, sys.maxsize  # told at the first line of the block
        before.append(f"from {module}_names import {', '.join(sorted(types))}")
    code = block.code
    if awaits_outside(code):
        before.append("async def block() -> None:")
        code = textwrap.indent(code, "    ")
    (folder / f"{module}.py").write_text("\n".join([*before, code]))
    written[f"{module}.py"] = block, len(before)
    return written


def stub(types):
    modules = {name for kind in types.values() for name in re.findall(r"([\w.]+)\.\w+", kind)}
    lines = [f"import {module}" for module in sorted(modules)]
    return "\n".join([*lines, *(f"{name}: {kind}" for name, kind in types.items()), ""])


def run_mypy(folder):
    """Check a folder as a user's own code is, without our settings; yield file, line and fault."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--output=json"]
    command += ["--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / 'docs'}", "."]
    result = run(command, folder)
    assert result.returncode in {0, 1}, result.stdout + result.stderr
    for line in result.stdout.splitlines():
        found = json.loads(line)
        if found["severity"] == "error":
            yield found["file"], found["line"], f"mypy: {found['message']} [{found['code']}]"


def run_pyright(folder):
    """Check a folder with pyright's own settings."""
    settings = {"include": ["."], "extraPaths": [str(ROOT / "src")]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    result = run(command, folder)
    assert result.returncode in {0, 1}, result.stdout + result.stderr
    for found in json.loads(result.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            line = found["range"]["start"]["line"] + 1
            yield found["file"], line, f"pyright: {found['message']} [{found.get('rule')}]"


def run(command, folder):
    environ = {**os.environ, "MYPYPATH": str(ROOT / "src"), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("checker", [run_mypy, run_pyright])
def test_documentation_passes_type_checkers(checker, tmp_path):
    """Every block of every page has no error of types; a page that has some shows them all."""
    written = write_page(tmp_path, blocks_of("wrong.md", WRONG))
    for page in PAGES:
        written |= write_page(tmp_path, blocks_of(page.name, page.read_text()))
    faults = []
    for file, line, message in checker(tmp_path):
        block, before = written[Path(file).name]
        faults.append((block.page, max(block.line + line - before - 1, block.line), message))

    assert sorted({line for page, line, _ in faults if page == "wrong.md"}) == WRONG_LINES
    here = [f"{page}:{line}: {what}" for page, line, what in faults if page != "wrong.md"]
    assert not here, "\n".join(["", *here])


def test_every_block_is_read():
    """No Python block of a page escapes the pattern, and each comment belongs to a block."""
    text = "".join(page.read_text() for page in PAGES)

    assert text.count("```python") == len(blocks())
    assert text.count("<!-- types:") == sum(bool(block.note) for block in blocks())


def test_unchecked_blocks_say_why():
    """A block that is not checked gives its reason."""
    assert [b for b in blocks() if not b.checked and not UNCHECKED.match(b.note)] == []


def test_no_name_is_assumed_in_vain():
    """Each of ``NAMES``, and each name that a comment adds, is used by a block."""
    used = [(block, free_names(block.code)) for block in blocks() if block.checked]

    assert set(NAMES) - {name for _, names in used for name in names} == set()
    assert [
        (b.page, b.line, set(b.types) - names) for b, names in used if set(b.types) - names
    ] == []
