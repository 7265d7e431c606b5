"""Files on a host that others use too: nobody else's link, key or open door is trusted."""

import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from red_team.attack import weakened_by
from sessile import Sessions
from sessile.errors import ConfigError
from sessile.wire import keyfile, permissions
from sessile.wire.sqlite import pool as sqlite_pool

KEY = b"what an attacker knows, 32 bytes"


@contextmanager
def folder():
    """Give a folder of our own; nothing that is made there is hidden by the umask."""
    umask = os.umask(0)
    try:
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
    finally:
        os.umask(umask)


def starts(place):
    """Tell whether an application starts on the database in that folder."""
    try:
        sessions = Sessions(f"sqlite:///{place}/sessile.db", secrets=None)
    except ConfigError:
        return False
    sessions.sync.ping()
    sessions.sync.close()
    return True


def links_are_followed(patch):
    """The key is read from wherever a link leads."""
    patch.setattr(os, "O_NOFOLLOW", 0)


@weakened_by(links_are_followed)
def test_a19_link_in_place_of_the_key_is_refused(site):
    """A symbolic link, which may lead to what an attacker wrote, is no key file."""
    with folder() as place:
        (place / "theirs").write_bytes(KEY)
        (place / "theirs").chmod(0o600)
        (place / "sessile.db.key").symlink_to(place / "theirs")

        assert not starts(place)


def modes_are_not_looked_at(patch):
    """The key is read whoever else can read or write it."""
    patch.setattr(keyfile, "_check", lambda path, found, **_: None)


@weakened_by(modes_are_not_looked_at)
def test_a19_key_that_others_reach_is_refused(site):
    """A key file that group or others could read or write is refused at start."""
    for mode in (0o640, 0o620, 0o604, 0o602, 0o666, 0o777):
        with folder() as place:
            (place / "sessile.db.key").write_bytes(KEY)
            (place / "sessile.db.key").chmod(mode)

            assert not starts(place), oct(mode)


def files_are_as_the_umask_says(patch):
    """SQLite makes the file itself."""
    patch.setattr(sqlite_pool, "_make_private", lambda path: None)


@weakened_by(files_are_as_the_umask_says)
def test_a19_new_files_are_for_one_user(site):
    """Database, log and key have mode 0600 from the start, whatever the umask."""
    with folder() as place:
        sessions = Sessions(f"sqlite:///{place}/sessile.db", secrets=None)
        sessions.sync.ping()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()}
        sessions.sync.close()

        assert set(modes) >= {"sessile.db", "sessile.db.key"}
        assert set(modes.values()) == {0o600}, modes


def doors_may_stand_open(patch):
    """The database is used wherever it lies."""
    patch.setattr(permissions, "refuse_world_writable", lambda place: None)


@weakened_by(doors_may_stand_open)
def test_a19_database_that_everybody_can_change_is_refused(site):
    """Where any user of the host can replace or write the file, everybody could be anybody.

    A folder with the sticky bit, as ``/tmp`` has, is none: only its owner replaces a file there.
    """
    with folder() as place:
        place.chmod(0o777)
        assert not starts(place)
        place.chmod(0o1777)
        assert starts(place)
        place.chmod(0o700)
        (place / "sessile.db").chmod(0o606)
        assert not starts(place)
        (place / "sessile.db").chmod(0o660)
        assert starts(place)
