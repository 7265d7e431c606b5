"""The store of the documentation's page keeps the contract that the page is about."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing-your-store.md").read_text()


def write_example(folder):
    """Write the page's two files as a reader would."""
    files = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (store, code), (test, suite) = files
    (folder / store).write_text(code)
    (folder / test).write_text(f"from {Path(store).stem} import MyStore\n\n{suite}")


def test_store_of_the_page_keeps_the_contract(tmp_path):
    """The page's store passes the page's test, every promise that it is asked."""
    write_example(tmp_path)
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path, env=os.environ | plain, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert re.search(r"^\d{3} passed in", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_example_imports_from_two_modules():
    """A store of somebody else's needs the contract and the errors, and nothing else of ours."""
    code = PAGE.partition("# my_store.py")[2].partition("```")[0]

    modules = set(re.findall(r"^from (sessile[\w.]*) import", code, re.MULTILINE))
    assert modules == {"sessile.errors", "sessile.stores.contract"}
