"""From a URL to its store, or to an error that says what to write."""

import tomllib
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest

from sessile.core.flow import run
from sessile.errors import ConfigError, MissingExtra
from sessile.stores import open as opening
from sessile.stores.memory import MemoryStore
from sessile.stores.open import GROUP, open_store
from sessile.stores.sqlite import SQLiteStore


def offer(monkeypatch, **places):
    """Let installed packages offer these schemes and no others."""
    doors = EntryPoints(EntryPoint(name, place, GROUP) for name, place in places.items())
    monkeypatch.setattr(opening, "entry_points", doors.select)


class Strange:
    """A store that some other package brings."""

    @classmethod
    def from_url(cls, url):
        return url, cls.__name__


def test_urls_pick_their_stores(tmp_path):
    """The scheme picks the class, and the class understands the rest."""
    memory, sqlite = open_store("memory://"), open_store(f"sqlite:///{tmp_path}/s.db?timeout=2")

    assert (type(memory), type(sqlite)) == (MemoryStore, SQLiteStore)
    assert sqlite.name == f"sqlite:///{tmp_path}/s.db"
    for store in (memory, sqlite):
        run(store.close())


def test_nothing_is_touched_by_opening(tmp_path):
    """Opening a store makes no file and no connection."""
    run(open_store(f"sqlite:///{tmp_path}/s.db").close())

    assert not list(tmp_path.iterdir())


def test_built_in_stores_are_those_of_the_package():
    """What the project's file offers is what is found here, and each is a store's class."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())

    doors = project["project"]["entry-points"][GROUP]
    found = entry_points(group=GROUP)
    assert doors.items() <= {door.name: door.value for door in found}.items()
    assert set(doors) <= set(opening.schemes())
    assert all(callable(found[name].load().from_url) for name in doors)


def test_lost_metadata_is_named(monkeypatch):
    """Where no package offers anything, not even ours, the error says what is lost and to do."""
    offer(monkeypatch)

    with pytest.raises(ConfigError, match=r"metadata: install it, as in pip install --editable"):
        open_store("memory://")


def test_other_packages_bring_stores(monkeypatch):
    """One line in a package's metadata makes a scheme; its store sees the whole URL."""
    offer(monkeypatch, strange=f"{__name__}:Strange")
    monkeypatch.setattr(EntryPoint, "load", lambda _: Strange)

    assert open_store("strange://here?so=on") == ("strange://here?so=on", "Strange")
    assert "strange" in opening.schemes()


def test_two_offers_of_one_scheme_are_refused(monkeypatch):
    """Which of two packages is meant is nothing to guess; one package found twice is one."""
    doors = [EntryPoint("odd", place, GROUP) for place in ("a:A", "b:B")]
    monkeypatch.setattr(opening, "entry_points", lambda **_: EntryPoints(doors))
    with pytest.raises(ConfigError, match="odd:// is offered by a:A and b:B; uninstall one"):
        open_store("odd://")

    monkeypatch.setattr(opening, "entry_points", lambda **_: EntryPoints(2 * doors[:1]))
    monkeypatch.setattr(EntryPoint, "load", lambda _: Strange)
    assert open_store("odd://") == ("odd://", "Strange")


def test_unknown_scheme_names_the_nearest_and_all():
    """A slip in the scheme is answered with what was probably meant."""
    with pytest.raises(ConfigError, match=r"did you mean sqlite://\? known are .*memory://, "):
        open_store("sqlit:///s.db")


def test_errors_never_show_credentials():
    """A URL that cannot be opened is shown without its password."""
    with pytest.raises(ConfigError) as caught:
        open_store("mongo://alice:hunter2@db/0")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "kind", "text"),
    [
        ("redis.asyncio", MissingExtra, r"redis:// needs sessile\[redis\]: pip install"),
        ("pymongo", ConfigError, "needs the Python module pymongo; install it"),
    ],
)
def test_missing_driver_is_named(monkeypatch, module, kind, text):
    """A driver that is not installed is an error that says how to get it."""

    def load(_):
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr(EntryPoint, "load", load)

    with pytest.raises(kind, match=text):
        open_store("redis://cache")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://sessile.db", "sqlite:///:memory:", "sqlite://u:p@/s.db"],
)
def test_sqlite_url_without_a_file_is_refused(url):
    """Whoever forgets a slash, or the file, reads how both are written."""
    with pytest.raises(ConfigError, match=r"write sqlite:///sessile\.db .*sqlite:////var"):
        open_store(url)


def test_sqlite_file_that_can_never_be_is_refused(tmp_path, monkeypatch):
    """A folder that is missing, or is the file, is an error at start, as is an old SQLite."""
    with pytest.raises(ConfigError, match="missing does not exist: make it"):
        open_store(f"sqlite:///{tmp_path}/missing/s.db")
    with pytest.raises(ConfigError, match=r"is a folder: write a file in it, as in .*sessile\.db"):
        open_store(f"sqlite:///{tmp_path}")
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigError, match=r"needs 3\.35 or newer"):
        open_store(f"sqlite:///{tmp_path}/s.db")


@pytest.mark.parametrize("url", ["memory://?mots=3", "sqlite:///s.db?mode=ro"])
def test_unknown_option_is_refused(url):
    """A slip in an option is never ignored."""
    with pytest.raises(ConfigError, match="unknown option"):
        open_store(url)
