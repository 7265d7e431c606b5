"""``sessile balancer print``: what it refuses, and what it never prints."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness.balancers import SECRET, WORDS, printed
from sessile.balancers.kinds import BalancerKind
from sessile.cli.app import app
from sessile.core.route import route_token

PAGE = Path(__file__).parents[2] / "docs" / "balancing.md"
SERVERS = "a=10.0.0.1:8000,b=shop-b.example:8000,c=[fd00::3]:8000"
OTHER_SECRET = "Qm4-tRz7_bN1cYw8Ke5vHs2Jx6Gd9Lf3Pa0Uo"
AFFINITIES = ("cookie", "address", "none")
TEXT_OPTIONS = ("servers", "drain", "host", "health", "certificate", "key", "bind", "folder")
SIGNS = (*"\n\r\t \"'`\\#;{}$%*|&()<>,=!?\0é", "\n    server x 10.9.9.9:80\n")


def refusal(*words, secrets=SECRET, kind="haproxy"):
    """Return what the command says, which prints nothing."""
    environ = {"SESSILE_SECRETS": secrets}
    done = CliRunner().invoke(app, ["balancer", "print", kind, *words], env=environ)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--servers="], "--servers is empty: write a=10.0.0.1:8000,b=10.0.0.2:8000"),
        (
            ["--servers=10.0.0.1:8000"],
            "'10.0.0.1:8000' has a name or a place, and not both: write a=",
        ),
        (["--servers=a=10.0.0.1"], "'a' is at '10.0.0.1', which is no host and port"),
        (["--servers=a=::1:80"], "an address of IPv6 in brackets, as [fd00::1]:8000"),
        (["--servers=a=http://10.0.0.1:80"], "without http://"),
        (["--servers=a=999.1.1.1:80"], "has the host '999.1.1.1'"),
        (["--servers=a=10.0.0.1:80,"], "a comma has no server beside it"),
        (["--servers=a=10.0.0.1:0"], "0 is no port"),
        (["--servers=a=10.0.0.1:65536"], "65536 is no port"),
        (["--servers=a=unix:80"], "has the host 'unix'"),
        (["--servers=a b=10.0.0.1:80"], "'a b' names no server: write letters, digits, -, _ and ."),
        (["--servers=a=10.0.0.1:80,A=10.0.0.2:80"], "two servers have the name a"),
        (["--servers=a=10.0.0.1:80,b=10.0.0.1:80"], "two servers have the place 10.0.0.1:80"),
        ([f"--servers={SERVERS}", "--drain=d"], "no server is named 'd'; known are: a, b, c"),
        ([f"--servers={SERVERS}", "--drain=a,b,c"], "every server drains"),
        ([f"--servers={SERVERS}", "--host=shop example"], "'shop example' is no host"),
        ([f"--servers={SERVERS}", "--health=health"], "'health' is no path"),
        ([f"--servers={SERVERS}", "--certificate=shop.pem"], "write it from the root on, as in"),
        ([f"--servers={SERVERS}", "--bind=localhost"], "'localhost' is no address"),
        ([f"--servers={SERVERS}", "--http=443"], "http and https are both at port 443"),
        ([f"--servers={SERVERS}", "--https=0"], "0 is no port"),
    ],
)
def test_error_says_what_to_write(words, says):
    """One line: what is wrong, and what is right."""
    assert says in refusal(*words)


@pytest.mark.parametrize("option", TEXT_OPTIONS)
def test_no_argument_adds_a_directive(option):
    """A sign that means something to a configuration is refused, wherever it stands."""
    usual = {"servers": "a=10.0.0.1:80", "drain": "", "host": "shop.example", "bind": "10.0.0.7"}
    good = usual.get(option, "/some/file")
    for sign in set(SIGNS) - ({",", "="} if option in ("servers", "drain") else set()):
        ways = [f"{good[:4]}{sign}{good[4:]}", f"{good}{sign}x", f"x{sign}{good}"]
        # behind % an address of IPv6 has the name of an interface, which may be anything
        ways += [f"fe80::1%x{sign}y"] if option == "bind" else []
        ways += [f"a=[fe80::1%x{sign}y]:80"] if option == "servers" else []
        for bad in ways:
            servers = () if option == "servers" else ("--servers=a=10.0.0.1:80,b=10.0.0.2:80",)
            if option == "drain" and not bad.replace("x", "").strip():
                continue  # spaces around a name
            if option == "servers" and bad.split("=")[1:] and sign.isspace():
                continue
            refusal(*servers, f"--{option}={bad}")


@pytest.mark.parametrize("kind", BalancerKind)
def test_secret_is_never_printed(kind):
    """By cookie there are tokens of the newest one; else it is not even looked at."""
    text = printed(kind, f"--servers={SERVERS}", secret=f"{SECRET},{OTHER_SECRET}")

    assert all(route_token(name, SECRET.encode()) in text for name in "abc")
    assert not any(route_token(name, OTHER_SECRET.encode()) in text for name in "abc")
    assert not {SECRET, OTHER_SECRET} & {*text.split()}
    for affinity in ("address", "none"):
        words = (f"--servers={SERVERS}", f"--affinity={affinity}")
        assert printed(kind, *words, secret=None) == printed(kind, *words, secret="short")
        assert "sessile-route" not in printed(kind, *words)


def test_cookie_needs_the_secrets():
    """It says so, and what to write without them."""
    said = refusal(f"--servers={SERVERS}", secrets=None)

    assert "SESSILE_SECRETS is not set" in said
    assert "--affinity address" in said


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("drain", ["", "a"])
def test_traefik_knows_each_service_that_it_names(affinity, drain):
    """It is not run by tests, so its parts are looked at; and it says so in its first line."""
    text = printed("traefik", f"--servers={SERVERS}", f"--affinity={affinity}", f"--drain={drain}")
    http = yaml.safe_load(text)["http"]
    services = http["services"]
    named = [router["service"] for router in http["routers"].values()]
    for service in services.values():
        named += (service.get("failover") or {}).values()
    (new,) = [one for name, one in services.items() if name == "shop"]
    urls = [server["url"] for server in new["loadBalancer"]["servers"]]

    assert text.startswith("# Not run by the tests of sessile.\n")
    assert {*named} == {*services}
    assert len(http["routers"]) == (4 if affinity == "cookie" else 1)
    assert ("http://10.0.0.1:8000" in urls) is (drain == "")
    assert urls[-2:] == ["http://shop-b.example:8000", "http://[fd00::3]:8000"]


def test_envoy_looks_names_up():
    """Where a server is a name; addresses are taken as they are."""
    assert "type: STRICT_DNS" in printed("envoy", f"--servers={SERVERS}")
    assert "type: STATIC" in printed("envoy", "--servers=a=10.0.0.1:80,b=[fd00::3]:80")


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_page_shows_what_is_printed(kind):
    """Whoever reads the page has the configuration itself before them."""
    (block,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    assert block == printed(kind, "--servers=a=10.0.0.1:8000,b=10.0.0.2:8000")


def test_page_says_which_are_run():
    """Each balancer has its row, and says so where the tests do not start it."""
    rows = re.findall(r"^\| `([\w-]+)`, .*\| (yes|no)\b.*\|$", PAGE.read_text(), re.MULTILINE)

    assert dict(rows) == {kind.value: "yes" if kind in WORDS else "no" for kind in BalancerKind}
