"""The extras of pyproject.toml: what each brings, and that ``all`` leaves out nothing that runs."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NOT_RUN = {
    "cluster",
    "demo",
    "testing",
}  # programs and tests of their own, and no part of an application


def packages(extra):
    """Return the packages that an extra brings, those of the extras that it names among them."""
    found = set()
    for need in map(Requirement, EXTRAS[extra]):
        if need.name == PROJECT["name"]:
            found = found.union(*map(packages, need.extras))
        else:
            found.add(str(need))
    return found


def test_all_is_every_extra_that_runs():
    """``sessile[all]`` names each of the others but three, so it brings what all of them bring."""
    (need,) = map(Requirement, EXTRAS["all"])
    others = EXTRAS.keys() - NOT_RUN - {"all"}

    assert need.extras == others
    assert packages("all") == set().union(*map(packages, others))


def test_wheel_on_the_page_is_the_one_that_is_built():
    """The name of the wheel that the page installs has the version of this project."""
    page = (ROOT / "docs" / "start.md").read_text()

    assert re.findall(r"sessile-([\d.]+)-py3", page) == [PROJECT["version"]]
