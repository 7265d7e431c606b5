"""The commands put together, and the one place where errors become a line. One file per command."""

import logging
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sessile.cli.arguments import App, Url
from sessile.cli.balancer import balancer_app
from sessile.cli.copy import copy
from sessile.cli.demo import demo
from sessile.cli.doctor import doctor
from sessile.cli.drain import drain, undrain
from sessile.cli.end import end
from sessile.cli.end_all import end_all
from sessile.cli.end_everybody import end_everybody
from sessile.cli.init import init
from sessile.cli.keygen import keygen
from sessile.cli.list import list_sessions
from sessile.cli.node import node_app
from sessile.cli.servers import servers
from sessile.cli.show import show
from sessile.cli.stat import stat
from sessile.cli.sweep import sweep
from sessile.cli.where import where
from sessile.errors import SessileError


class Commands(TyperGroup):
    """The group of all commands. An error of the family is one line on stderr, and code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        logging.getLogger("sessile").addHandler(logging.NullHandler())  # the line below says it
        try:
            return super().invoke(ctx)
        except SessileError as error:
            typer.echo(f"sessile: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # brackets in our help, as in sessile[cli], are no markup
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"sessile {version('sessile')}")
        except PackageNotFoundError:
            typer.echo("sessile, from a checkout that was never installed")
        raise typer.Exit


@app.callback()
def sessile(
    url: Url = None,
    app: App = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Look after HTTP sessions.

    Exit codes: 0 done; 1 there was no such session, the doctor found something wrong, or a server
    that drains is not through; 2 an error.
    """


app.command("keygen")(keygen)
app.command("init")(init)
app.command("doctor")(doctor)
app.command("list")(list_sessions)
app.command("show")(show)
app.command("where")(where)
app.command("stat")(stat)
app.command("end")(end)
app.command("end-all")(end_all)
app.command("end-everybody")(end_everybody)
app.command("servers")(servers)
app.command("drain")(drain)
app.command("undrain")(undrain)
app.command("sweep")(sweep)
app.command("copy")(copy)
app.add_typer(node_app, name="node")
app.add_typer(balancer_app, name="balancer")
app.command("demo")(demo)
