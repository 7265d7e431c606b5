"""The key file: one secret for all processes of a host, for one user's eyes."""

import os
import stat

import pytest

from sessile.errors import ConfigError
from sessile.wire import keyfile

FRESH = b"a fresh secret of thirty-two b.."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db.key"


def test_first_secret_is_kept(path):
    """What was kept first is returned for ever, whatever is drawn later."""
    assert keyfile.load_or_create(path, FRESH) == FRESH
    assert keyfile.load_or_create(path, b"another") == FRESH


def test_nobody_else_can_read_it(path):
    """The file has mode 0600, whatever the umask allows, and no draft of it stays behind."""
    umask = os.umask(0)
    try:
        keyfile.load_or_create(path, FRESH)
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_rival_that_came_first_wins(path, monkeypatch):
    """A process that saw no file, and then meets one, takes the secret that is there."""
    path.write_bytes(b"the rival's")
    path.chmod(0o600)
    monkeypatch.setattr(os.path, "lexists", lambda _: False)

    assert keyfile.load_or_create(path, FRESH) == b"the rival's"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_open_doors_are_refused(path, mode):
    """A file that group or others can read or write is refused, with the command that helps."""
    path.write_bytes(FRESH)
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600"):
        keyfile.load_or_create(path, FRESH)


def test_symbolic_link_is_refused(path):
    """A link could lead to a file that somebody else chose; even one that leads nowhere."""
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(ConfigError, match="symbolic link"):
        keyfile.load_or_create(path, FRESH)

    keyfile.load_or_create(path.with_name("elsewhere"), FRESH)
    with pytest.raises(ConfigError, match="symbolic link"):
        keyfile.load_or_create(path, FRESH)


def test_what_is_no_plain_file_is_refused(path):
    """A pipe is refused at once, and never waited for."""
    os.mkfifo(path, 0o600)

    with pytest.raises(ConfigError, match="no plain file"):
        keyfile.load_or_create(path, FRESH)


def test_empty_file_is_refused(path):
    """An empty file is no secret."""
    path.touch(mode=0o600)

    with pytest.raises(ConfigError, match="is empty"):
        keyfile.load_or_create(path, FRESH)


def test_folder_that_is_not_there_is_named(path):
    """What the system refuses becomes an error that says what to do, with its cause."""
    with pytest.raises(ConfigError, match=r"No such file.*SESSILE_SECRETS") as caught:
        keyfile.load_or_create(path.parent / "missing" / "key", FRESH)

    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("spoil", [lambda p: p.chmod(0o644), lambda p: p.write_bytes(b"")])
def test_errors_never_show_the_secret(path, spoil):
    """No error quotes what the file holds or what was to be put there."""
    keyfile.load_or_create(path, FRESH)
    spoil(path)

    with pytest.raises(ConfigError) as caught:
        keyfile.load_or_create(path, b"drawn in vain")

    assert "fresh" not in str(caught.value)
    assert "vain" not in str(caught.value)


def test_mode_means_nothing_where_nobody_else_is(path):
    """Under WSL every file has mode 0777: who says that nobody else is there may go on."""
    path.write_bytes(FRESH)
    path.chmod(0o777)

    assert keyfile.load_or_create(path, b"another", any_mode=True) == FRESH


def test_loading_makes_no_file(path):
    """A key file that is named and not there is an error, and is not made."""
    with pytest.raises(ConfigError, match="No such file"):
        keyfile.load(path)

    assert not path.exists()
