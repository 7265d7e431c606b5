"""What several commands take: the store's URL, a session's id, a user. Checked before anything."""

from typing import Annotated, TypeAlias

import typer

from sessile.core.route import SERVER_NAME
from sessile.core.ticket import Key, Ticket, is_key


def _resolve_url(context: typer.Context, url: str | None) -> str | None:
    """Take the URL of this command, else the one before the command's name."""
    if url == "":  # as from --url "$UNSET": the default might be quite another store
        raise typer.BadParameter("it is empty; write a URL, or leave the option out")
    return _remember(context, "url", url)


def _resolve_app(context: typer.Context, app: str | None) -> str | None:
    """Take the application of this command, else the one before the command's name."""
    if app == "":
        raise typer.BadParameter("it is empty; write module:name, or leave the option out")
    return _remember(context, "app", app)


def _remember(context: typer.Context, option: str, given: str | None) -> str | None:
    if given is not None:
        context.meta[f"sessile.{option}"] = given
    found = context.meta.get(f"sessile.{option}")
    return found if isinstance(found, str) else None


def session_id(text: str) -> Key:
    """Return a text that has the shape of an id. Never repeats it: it may be a secret."""
    if Ticket.parse(text) is not None:
        raise typer.BadParameter(
            "this is a cookie's value, which opens the session and should be kept from shells; "
            "its first 20 characters are the id"
        )
    if not is_key(text):
        raise typer.BadParameter("an id is 20 letters, digits, '-' or '_', as `list` prints it")
    return Key(text)


def _user(text: str) -> str:
    if not text:
        raise typer.BadParameter("it is empty; write the user as the application's login does")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("it is not UTF-8") from None
    return text


def _server(text: str) -> str:
    if SERVER_NAME.fullmatch(text) is None:
        raise typer.BadParameter("a server's name is up to 64 letters, digits, '-', '_' or '.'")
    return text


Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        callback=_resolve_url,
        metavar="URL",
        help="Where sessions are kept, as in redis://localhost:6379/0. Without it SESSILE_URL, "
        "which keeps a password out of the list of processes; else sqlite:///sessile.db.",
    ),
]
App: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--app",
        callback=_resolve_app,
        metavar="MODULE:NAME",
        help="The application's own Sessions, as in shop:sessions, with its URL, secrets and "
        "policy. The module is imported, so run it where the application runs, as its user.",
    ),
]
SessionId: TypeAlias = Annotated[
    str,  # help shows the type's name
    typer.Argument(
        metavar="ID",
        parser=session_id,
        help="The session, as `list` prints it. One that begins with '-' goes after '--'.",
    ),
]
Server: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SERVER",
        parser=_server,
        help="Its name, that of SESSILE_SERVER, as `servers` lists it.",
    ),
]
Owner: TypeAlias = Annotated[
    str, typer.Argument(metavar="OWNER", parser=_user, help="The user, as login() named them.")
]
OneOwner: TypeAlias = Annotated[
    str | None,
    typer.Option("--owner", metavar="USER", parser=_user, help="Only this user's sessions."),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, with times in UTC.")]

SiteHost = Annotated[str, typer.Option(metavar="HOST", help="The name that browsers ask for.")]
