"""The public names of a session: few, known, and each on the page that lists them."""

import re
from collections.abc import MutableMapping
from pathlib import Path

from core.sessions import opened
from sessile.core.session import Session

START = Path(__file__).parents[2] / "docs" / "start.md"
NAMES = {
    "assurance", "authenticated_at", "begin_login", "device", "factors", "finish_login", "flash",
    "flashes", "has_grant", "id", "increment", "info", "lock", "locked_user", "login", "logout",
    "modified", "new", "note", "pending", "persistent", "rotate", "step_up", "unlock", "user",
    "view",
}  # fmt: skip


def public(thing):
    """Return what an editor offers of it, beside the methods of any mapping."""
    return {name for name in dir(thing) if name[0] != "_"} - set(dir(MutableMapping))


def listed():
    """Return the names in the table of what a session can do."""
    (section,) = re.findall(
        r"^## What a session can do$(.*?)^## ", START.read_text(), re.MULTILINE | re.DOTALL
    )
    cells = re.findall(r"^\| ([^|]*(?:\\\|[^|]*)*) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)(?![\w=])", cell)}


def test_session_has_these_names_and_no_others():
    """What the service needs of a session is not in an application's way."""
    assert public(Session) == public(opened()) == NAMES


def test_each_name_is_in_the_documentation():
    """The table of the first page shows all that a session can do."""
    assert listed() >= NAMES


def test_documentation_shows_no_name_that_is_none():
    """What the table lists is there."""
    assert [name for name in listed() if not hasattr(Session, name)] == ["session"]


def test_each_name_says_what_it_is_for():
    """An editor shows a sentence with each of them."""
    assert [name for name in NAMES if not (getattr(Session, name).__doc__ or "").strip()] == []
