"""``sessile doctor`` says a line for each part of a set-up, and 1 when one of them is wrong."""

import socket
from pathlib import Path

import pytest

from sessile import Sessions
from sessile.cli import checks
from sessile.cli.round_trip import round_trip
from sessile.core.flow import run
from sessile.core.record import evolve
from sessile.core.secrets import fingerprint
from sessile.core.ticket import Key
from sessile.errors import MissingExtra, StoreUnavailable
from sessile.stores.contract import Capability, Change, Conflict
from sessile.stores.finding import Finding, Mark
from sessile.stores.memory import MemoryStore
from sessile.stores.open import open_store
from sessile.testing.clock import T0, FakeClock, SeededEntropy

GOOD = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
ALSO = "b3Nl7Wq_9sTzU0-fYhXg1kRj5mCvP8eDi2oAa"


class Far(MemoryStore):
    """A store on a server, whose clock shows what a test wants."""

    capabilities = MemoryStore.capabilities | Capability.NETWORK
    shows = T0

    async def server_time(self):
        return self.shows


@pytest.fixture
def made(put):
    """An empty database in the working folder."""
    put()
    run(open_store("sqlite:///sessile.db").ping())


@pytest.fixture
def examine(monkeypatch):
    """Examine a store, at an instant that stands still, and sort what is found by subject."""

    def examine(store):
        def opened(url):
            if isinstance(store, Exception):
                raise store
            return store

        monkeypatch.setattr(checks, "open_place", opened)
        found = {}
        for finding in checks.examine("far://store", FakeClock(), SeededEntropy()):
            found.setdefault(finding.subject, []).append(finding)
        return found

    return examine


def test_a_sound_set_up_is_code_0(shell, monkeypatch, login):
    """Every part has its line, in the order in which they rest on each other."""
    login("alice", url="sqlite:///shop.db")
    monkeypatch.setenv("SESSILE_SECRETS", f"{GOOD}, {ALSO}")
    monkeypatch.setenv("SESSILE_URL", "sqlite:///shop.db")

    done = shell("doctor")

    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [f"{mark} {says.split()[0]}" for mark, says in lines] == [
        "✓ URL", "✓ driver", "✓ store", "✓ secrets", "✓ cookie", "! cookie", "✓ clock",
        "✓ round", "✓ files",
    ]  # fmt: skip
    assert f"sqlite:///shop.db, the file {Path('shop.db').absolute()} (SESSILE_URL)" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_a_database_that_is_not_there_is_wrong_and_is_not_made(sessile, folder):
    """In a wrong folder it says where it looked and how to name another, and leaves no file."""
    done = sessile("doctor")

    assert done.exit_code == 1
    assert f"✗ store      there is no database {folder}/sessile.db; " in done.stdout
    assert "--url sqlite:////path/to/sessile.db" in done.stdout
    assert list(folder.iterdir()) == []


def test_no_database_gets_no_key_file(sessile, folder):
    """What is looked at and is none of ours stays as it was, and alone."""
    (folder / "sessile.db").write_text("This is a shopping list.\n" * 100)

    assert sessile("doctor").exit_code == 1
    assert sessile("list").exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["sessile.db"]


def test_the_throw_away_session_is_gone(sessile, made):
    """After the doctor the store is as empty as before."""
    sessile("doctor")

    assert sessile("list", "--json").stdout == "[]\n"


def test_records_under_other_secrets_are_counted(sessile, login, monkeypatch):
    """How many, of how many, what becomes of them, and what to write."""
    login("alice"), login("bob")
    monkeypatch.setenv("SESSILE_SECRETS", ALSO)
    done = sessile("doctor")

    assert done.exit_code == 1
    (line,) = (line for line in done.stdout.splitlines() if line.split()[1] == "records")
    assert line.startswith("✗ records    2 of the 2 that were looked at do not prove genuine")
    assert "is logged out; add the secrets they were stored under to SESSILE_SECRETS" in line


def test_secrets_in_the_code_are_reckoned_with(sessile, login):
    """Where no secret is given here the application may well have the right ones."""
    login("alice")
    done = sessile("doctor")
    assert done.exit_code == 0
    assert "! secrets    none given here, and there is no key file" in done.stdout
    assert "secrets=[...] in its code, which --app shows" in done.stdout
    Sessions().sync.close()
    done = sessile("doctor")

    assert done.exit_code == 0
    assert "! records    1 of the 1 that were looked at" in done.stdout
    assert "secrets=[...] stands in the application's code" in done.stdout


def test_records_under_the_ring_are_no_news(sessile, login, monkeypatch):
    """An old secret opens what it stored."""
    login("alice")
    monkeypatch.setenv("SESSILE_SECRETS", f"{ALSO},{GOOD}")

    assert "looked at" not in sessile("doctor").stdout


def test_secrets_are_told_apart_and_never_shown(sessile, made, monkeypatch):
    """Fingerprints, newest first, let an operator compare servers."""
    monkeypatch.setenv("SESSILE_SECRETS", f"{GOOD},{ALSO}")

    said = sessile("doctor").stdout

    prints = f"{fingerprint(GOOD.encode())}, {fingerprint(ALSO.encode())}"
    assert f"✓ secrets    2 in SESSILE_SECRETS, newest first: {prints}" in said
    assert not any(part in said for part in (GOOD, ALSO, GOOD[:8], ALSO[:8]))


@pytest.mark.parametrize("secrets", ["hunter2", f"{GOOD},", f"{GOOD},{GOOD}", "x" * 40])
def test_a_weak_secret_is_wrong_and_not_shown(sessile, made, monkeypatch, secrets):
    """What is wrong with it is said without saying it."""
    monkeypatch.setenv("SESSILE_SECRETS", secrets)

    done = sessile("doctor")

    assert done.exit_code == 1
    assert "\n✗ secrets    " in done.stdout
    assert not any(secret and secret in done.stdout for secret in secrets.split(","))


def test_a_kept_secret_that_others_can_read_is_wrong(sessile, made, folder):
    """The key file beside the database is for one user."""
    Sessions().sync.close()
    assert sessile("doctor").exit_code == 0
    (folder / "sessile.db.key").chmod(0o644)

    done = sessile("doctor")

    assert done.exit_code == 1
    assert "✗ secrets    the key file" in done.stdout
    assert "chmod 600" in done.stdout


def test_a_network_store_without_secrets_is_wrong(examine):
    """Servers that share a store must share a secret; what the doctor cannot see it says."""
    (finding,) = examine(Far())["secrets"]

    assert finding.mark is Mark.WRONG
    assert "sessile keygen" in finding.message
    assert finding.message.endswith("code is seen with --app alone)")


@pytest.mark.parametrize(
    ("url", "subject"),
    [
        ("redis//cache", "URL"),
        ("mongo://cache", "URL"),
        ("redis://:hunter2@cache:port/0", "URL"),
        ("sqlite:///missing/folder.db", "URL"),
    ],
)
def test_a_wrong_url_is_told_by_its_source_and_without_its_password(sessile, url, subject):
    """What does not rest on the store is checked all the same."""
    done = sessile("doctor", "--url", url)

    assert done.exit_code == 1
    assert done.stdout.startswith(f"✗ {subject}")
    assert "(--url)" in done.stdout.splitlines()[0]
    assert "hunter2" not in done.output
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == [
        "cookie",
        "cookie",
        "clock",
    ]


def test_a_missing_driver_is_wrong(examine):
    """The URL is understood; the extra that brings the driver is named."""
    found = examine(MissingExtra("far://", "far"))

    assert found["URL"][0].mark is Mark.FINE
    assert found["driver"] == [
        Finding(Mark.WRONG, "driver", "far:// needs sessile[far]: pip install 'sessile[far]'")
    ]


def test_an_unreachable_redis_is_wrong_and_its_password_is_not_shown(sessile):
    """It is said in time; what rests on the store is not tried, the rest is."""
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = sessile("doctor", "--url", f"redis://shop:hunter2@127.0.0.1:{port}/0")

    assert done.exit_code == 1
    assert f"✗ store      redis://127.0.0.1:{port}/0 is unavailable: " in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines()[3:]] == [
        "secrets", "cookie", "cookie", "clock",
    ]  # fmt: skip
    assert "hunter2" not in done.output


@pytest.mark.parametrize(
    ("shows", "says"),
    [(T0 + 61, "61 s behind the store's"), (T0 - 90, "90 s ahead of the store's")],
)
def test_a_clock_that_drifts_from_the_stores_is_wrong(examine, shows, says):
    """Servers whose clocks differ by more than a minute disagree about what has expired."""
    store = Far()
    store.shows = shows

    (finding,) = examine(store)["clock"]

    assert finding.mark is Mark.WRONG
    assert says in finding.message


@pytest.mark.parametrize("drift", [-60.0, -5.5, 5.5, 60.0])
def test_a_clock_that_nobody_synchronises_is_a_note(examine, drift):
    """Up to a minute sessions are right; the requirement is said, in seconds."""
    store = Far()
    store.shows = T0 + drift

    (finding,) = examine(store)["clock"]

    assert finding.mark is Mark.NOTE
    assert "no two servers may be more than 60 s apart" in finding.message


def test_a_clock_within_five_seconds_of_the_stores_is_fine(examine):
    """What a synchronised machine shows is never wrong."""
    store = Far()
    store.shows = T0 + 4.9

    (finding,) = examine(store)["clock"]

    assert (finding.mark, "4900.0 ms from the store's" in finding.message) == (Mark.FINE, True)


def test_a_store_that_fails_while_it_is_looked_at_is_wrong(examine):
    """It answered before: what it says now is a finding, not an end of the doctor's."""

    class Failing(Far):
        async def diagnose(self):
            raise StoreUnavailable(self.name, "no answer within 0.5 s")

    (finding,) = examine(Failing())["server"]

    assert (finding.mark, "no answer" in finding.message) == (Mark.WRONG, True)


def test_a_store_that_does_not_tell_the_time_is_no_fault(examine):
    """A Redis user may be allowed everything but TIME."""

    class Silent(Far):
        async def server_time(self):
            raise StoreUnavailable(self.name, "no permission")

    (finding,) = examine(Silent())["clock"]

    assert finding.mark is Mark.NOTE
    assert "no permission" in finding.message


def test_a_clock_before_the_installation_is_wrong(monkeypatch):
    """Without another clock one instant is certain to have passed."""
    found = list(checks.examine("memory://", FakeClock(0.0), SeededEntropy()))

    (finding,) = [finding for finding in found if finding.subject == "clock"]
    assert finding.mark is Mark.WRONG
    assert finding.message.startswith("1970-01-01T00:00:00Z is before sessile was installed")


def test_sessions_of_one_process_are_a_note(sessile):
    """``memory://`` works, and ends with its process."""
    done = sessile("doctor", "--url", "memory://")

    assert done.exit_code == 0
    assert "! store      each process has sessions of its own" in done.stdout


class Forgetful(MemoryStore):
    """Loses what it is given."""

    async def create(self, record):
        pass


class Stubborn(MemoryStore):
    """Takes no change."""

    async def commit(self, change):
        return Conflict(change.record)


class Lazy(MemoryStore):
    """Says it has changed a record, and has not."""

    async def commit(self, change):
        await super().read(Key(change.record.key))
        return await super().commit(Change(evolve(change.record, seen=0.0), change.expected))


class Undead(MemoryStore):
    """Deletes nothing."""

    async def delete(self, key, owner=None, *, leaving=None):
        return None


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (Forgetful, "created did not come back"),
        (Stubborn, "newest version was refused"),
        (Lazy, "committed did not come back"),
        (Undead, "deleted came back"),
    ],
)
def test_a_round_trip_finds_what_a_store_does_wrong(examine, store, says):
    """Each step of it is looked at."""
    (finding,) = examine(store())["round trip"]

    assert finding.mark is Mark.WRONG
    assert says in finding.message


@pytest.mark.parametrize("store", [Forgetful, Stubborn, Lazy])
def test_a_round_trip_that_fails_leaves_nothing(store):
    """The throw-away session is deleted whatever went wrong."""
    kept = store()

    run(round_trip(kept, T0, SeededEntropy()))

    assert not kept._open_rows()


def test_a_store_that_fails_half_way_is_wrong(examine):
    """A full or read-only store answers pings and takes no session."""

    class ReadOnly(MemoryStore):
        async def create(self, record):
            raise StoreUnavailable("far://store", "it is read only")

    (finding,) = examine(ReadOnly())["round trip"]

    assert finding == Finding(
        Mark.WRONG, "round trip", "far://store is unavailable: it is read only"
    )
