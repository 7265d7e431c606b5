"""``sessile doctor`` looks at the files of SQLite and LMDB: who else can read or change them."""

import pytest

from sessile.cli import checks
from sessile.testing import sample
from sessile.wire import file_modes


def lines(done):
    return [line for line in done.stdout.splitlines() if line.split()[1] == "files"]


@pytest.fixture
def made(put, folder):
    """A database that is there, in a folder of this user's."""
    folder.chmod(0o700)
    put(sample.record())
    return folder


def test_files_of_one_user_are_fine(sessile, made):
    """One line says so."""
    (line,) = lines(sessile("doctor"))

    assert line.startswith("✓ files")


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("sessile.db", 0o640, "! its group can read"),
        ("sessile.db", 0o644, "! its group and everybody can read"),
        ("sessile.db", 0o660, "✗ its group can change"),
        (".", 0o755, "✓ no other user"),
        (".", 0o775, "! its group can put another file"),
        (".", 0o1777, "✓ no other user"),
    ],
)
def test_mode_says_who_else(sessile, made, name, mode, says):
    """Readers are a note, writers are wrong, and a folder is for putting other files there."""
    mark, says = says.split(maxsplit=1)
    (made / name).chmod(mode)
    done = sessile("doctor")
    (made / name).chmod(0o700)

    assert [line[0] for line in lines(done)] == [mark]
    assert says in lines(done)[0]
    assert done.exit_code == (mark == "✗")


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_what_stands_beside_is_looked_at(made, end):
    """The log has the newest sessions in it; it is there while the file is open."""
    beside = made / f"sessile.db{end}"
    beside.write_bytes(b"")
    beside.chmod(0o644)

    found = checks.open_place("sqlite:///sessile.db")
    (finding,) = checks.run(found.diagnose())
    checks.run(found.close())
    assert str(beside) in finding.message


@pytest.mark.parametrize("end", ["", "-lock", "-synced"])
def test_files_of_lmdb_are_looked_at(sessile, folder, end):
    """Whoever can change one of them can change sessions; whoever can read the map reads them."""
    folder.chmod(0o700)
    store = checks.open_place("lmdb:///sessile.lmdb")
    checks.run(store.ping())
    checks.run(store.close())
    assert "✓ files" in sessile("doctor", "--url", "lmdb:///sessile.lmdb").stdout
    (folder / f"sessile.lmdb{end}").chmod(0o660)
    done = sessile("doctor", "--url", "lmdb:///sessile.lmdb")

    assert f"chmod 600 {folder}/sessile.lmdb{end}" in done.stdout.replace("\n", " ")
    assert done.exit_code == 1


def test_file_of_another_user_is_told(sessile, made, monkeypatch):
    """Its owner can do anything to it, whatever its mode."""
    uid = (made / "sessile.db").stat().st_uid
    monkeypatch.setattr(file_modes.os, "geteuid", lambda: uid + 1)
    found = file_modes.file_modes([made / "sessile.db", made / "missing"])

    assert [one.owner for one in found] == [uid or None]
