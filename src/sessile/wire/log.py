"""Log for the operator, through ``logging``, what no caller could be told."""

import logging
from enum import IntEnum
from functools import cache
from typing import Final

_log: Final = logging.getLogger("sessile")


class Severity(IntEnum):
    """How serious a line is, as ``logging`` counts it."""

    WARNING = logging.WARNING  # look at it
    ERROR = logging.ERROR  # requests fail


def log_line(level: Severity, words: str) -> None:
    """Log words that somebody else chose; ``service.operator_log`` does."""
    _log.log(level, "%s", words)


def log_dropped_hooks(number: int) -> None:
    """Log that async hooks did not run, or not to their end."""
    _log.error(
        "%d async hooks were dropped: too many were under way, or the server was stopping; "
        "the requests went on",
        number,
    )


@cache
def log_green_hooks(green: str) -> None:
    """Log that async hooks are not run where there is no thread for an event loop."""
    _log.error(
        "async hooks do not run under %s, and none of theirs does: write a blocking hook, which "
        "may hand its work to %s.spawn",
        green,
        green,
    )


def log_new_file(store: str, *, is_empty: bool) -> None:
    """Log that somebody deleted the file of a store, or put another one in its place."""
    if is_empty:
        _log.error(
            "%s was deleted while it was in use: a new file was made, and every session that was "
            "in the old one is gone",
            store,
        )
    else:
        _log.warning(
            "%s was replaced by another file while it was in use: from now on its sessions count, "
            "and those of the old one are gone",
            store,
        )


def log_local_node(folder: object, place: str, linger: float) -> None:
    """Log that a node is started on this host, because the URL names no server."""
    _log.warning(
        "the URL names no server, so a node of NATS is started on this host, for development: it "
        "listens on %s alone, keeps everything once, in %s, and ends %.0f s after the last process "
        "that uses it. In production run `sessile node` and name the hosts",
        place,
        folder,
        linger,
    )


def log_feed_failure(store: str, why: str) -> None:
    """Log that a store no longer tells what changed."""
    _log.warning(
        "the feed of %s is broken: %s; until it works again each read asks the store, if that "
        "answers, and open sockets are looked at now and then",
        store,
        why,
    )


def log_feed_recovery(store: str) -> None:
    """Log that a store tells again what changed."""
    _log.warning("the feed of %s works again", store)


def log_damage(store: str, aside: str) -> None:
    """Log that the file of a store was damaged, and where it is now."""
    _log.error(
        "%s was damaged: it is now %s, a new file was begun, and every session that was in the old "
        "one is gone; look at the disk, and delete it when you have done with it",
        store,
        aside,
    )


def log_restored_file(store: str) -> None:
    """Log that the machine stopped before all of a file was on the disk."""
    _log.warning(
        "%s went back to what was on the disk for sure when the machine stopped: what was written "
        "in the last seconds before is undone, ends of sessions too",
        store,
    )


def log_sync_failure(store: str, error: object) -> None:
    """Log that the disk did not take what was written."""
    _log.error(
        "%s: the disk failed (%s): what is written from now on is lost when the machine stops; "
        "look at the disk, and restart the application",
        store,
        error,
    )


def log_stall(store: str, took: float) -> None:
    """Log that a call took so many seconds, and held whoever made it in place as long."""
    _log.warning(
        "%s: a call that takes microseconds took %.1f s, because the file system stalled, and held "
        "its thread as long; calls are made apart until one is quick again",
        store,
        took,
    )


def log_other_secret(path: object) -> None:
    """Log that this process goes by another secret than the key file has now."""
    _log.error(
        "the key file %s was replaced while it was in use, and this process still goes by the old "
        "secret: restart every worker, or sessions are known to some of them and not to others",
        path,
    )


@cache
def log_key_file(path: object) -> None:
    """Log that secrets were given where a key file was used before, whose sessions do not open."""
    _log.warning(
        "secrets are given, and the key file %s is there: sessions from before they were given do "
        "not open. To keep them, write the file behind the others until the last one is over, as "
        "in SESSILE_SECRETS=...,file:%s (or secrets=[..., 'file:%s']); then, or else now, delete "
        "the file",
        path,
        path,
        path,
    )


def log_lost_generation(store: str) -> None:
    """Log that a store went back behind an end of everybody, so that all have to log in again."""
    _log.error(
        "%s has lost data that it had acknowledged: its generation is missing, or older than one "
        "that was there before, as after a crash. A new one was begun, so everybody whose session "
        "was there has to log in again. `sessile doctor` says what the server keeps on disk",
        store,
    )


def log_missing_generation(store: str, server: str, name: str) -> None:
    """Log that a memcached server has forgotten its generation, and with it all its sessions."""
    _log.error(
        "%s: the server %s has no item %s any more: it was restarted or flushed, or has evicted "
        "it. Whoever had a session there has to log in again. `sessile doctor` says how much the "
        "server evicts",
        store,
        server,
        name,
    )


@cache  # once in a process
def log_unprepared(store: str) -> None:
    """Log that a pooler forgets prepared statements, so that none are used any more."""
    _log.warning(
        "%s: a pooler hands out other connections than the statements were prepared on, so from "
        "now on none is prepared and each is planned anew, which costs the server some "
        "milliseconds for a login: use PgBouncer 1.21 or newer with max_prepared_statements = 100, "
        "or write ?prepare=no and this line is gone",
        store,
    )


def log_undurable_end(store: str, risk: str) -> None:
    """Log that everybody was ended, and that a crash of the store may bring them back."""
    _log.warning("every session in %s has ended, but %s", store, risk)


@cache
def log_second_middleware() -> None:
    """Log that a request came through two middlewares of the same sessions."""
    _log.warning(
        "two SessionMiddleware with the same Sessions stand around one application: the inner one "
        "does nothing, nor do its options; take one of them out"
    )


@cache  # once in a process
def log_late_permanent() -> None:
    """Log that ``session.permanent`` was set in a session that had begun before."""
    _log.warning(
        "session.permanent was set where it changes nothing: how long a session is remembered is "
        "decided when it begins and at the login; set it in that request, or write "
        "session.login(user, remember=True)"
    )


@cache
def log_shadowed(key: str) -> None:
    """Log that a stored value is no attribute for templates, because another one has its name."""
    _log.warning(
        "session[%r] is stored, and session.%s is an attribute of the session itself: in a "
        "template write session[%r] for the value, or give it another key (templates of Flask find "
        "the value either way)",
        key,
        key,
        key,
    )


@cache
def log_refused_permanent() -> None:
    """Log that ``session.permanent`` was set and the policy remembers nobody."""
    _log.warning(
        "session.permanent = True, but the policy has remember_absolute=None and remembers nobody: "
        "sessions end with the browser; take the line out, or write Policy(remember_absolute=...)"
    )


@cache
def log_assumed_principal(key: str) -> None:
    """Log that a value was taken for who is logged in, though nobody said that it is."""
    _log.warning(
        "session[%r] was set and is taken for who is logged in, so the session got a new id and an "
        "owner: write Sessions(principal=%r) if that is right, else Sessions(principal=None)",
        key,
        key,
    )


@cache
def log_likely_principal(key: str) -> None:
    """Log that a value may say who is logged in, and that it was taken for any other."""
    _log.warning(
        "session[%r] was set and nobody is logged in: if it says who is, write "
        "Sessions(principal=%r), or a function of the values, so that a login gets a new id and no "
        "planted one lives on; else write Sessions(principal=None)",
        key,
        key,
    )


@cache
def log_ambiguous(cookie: str) -> None:
    """Log that two cookies of one name came, or one behind a comma, so that nobody is logged in."""
    _log.warning(
        "a request brought the cookie %s twice, so neither counts: if its domain, its path or "
        "partitioned was another one before, write Cookie(former=[Cookie(...)]) with what it was; "
        "if it stands behind a comma, a proxy sends several Cookie fields, which your WSGI server "
        "joins with it: have the proxy join them with '; ' (RFC 9113, 8.2.3); else somebody has "
        "planted one",
        cookie,
    )


@cache
def log_withheld(cookie: str) -> None:
    """Log that no session was begun where the cookie of another one may be held back."""
    _log.warning(
        "a request stored something and could not have brought the cookie %s, as it came from "
        "another site (SameSite) or is for a path that the cookie does not reach: nothing was "
        "stored, because the cookie of a new session would replace that of a login. If a proxy "
        "takes a prefix off the path, tell your server which: --root-path of an ASGI server, "
        "SCRIPT_NAME of a WSGI one",
        cookie,
    )
