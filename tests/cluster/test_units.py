"""``sessile node --print-unit``: what is printed is one file that its reader takes."""

import shutil
import subprocess

import pytest
import yaml
from typer.testing import CliRunner

from harness.programs import skip_or_fail
from sessile.cli.app import app

PEERS = "a=10.0.0.1,b=10.0.0.2,c=[fd00::3]:7222"


def unit(kind, *words):
    """Return what is printed, the secrets being not even there."""
    done = CliRunner().invoke(app, ["node", f"--print-unit={kind}", *words], prog_name="sessile")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("SESSILE_SECRETS", "never-looked-at")


@pytest.mark.parametrize("folder", ["/var/lib/sessile", "/srv/two words/node"])
def test_systemd_takes_its_unit(tmp_path, folder):
    """Verified by systemd itself; of its programs it says that they are there."""
    program = shutil.which("systemd-analyze")
    if program is None:
        skip_or_fail("systemd", "systemd-analyze is not installed; install it: apt install systemd")
    path = tmp_path / "sessile-node.service"
    text = unit("systemd", "--name=a", f"--peers={PEERS}", f"--folder={folder}")
    path.write_text(text.replace("ExecStart=", "ExecStart=/bin/echo "))
    done = subprocess.run(
        [program, "verify", "--man=no", path], capture_output=True, text=True, check=False
    )

    assert [line for line in done.stderr.splitlines() if path.name in line] == []
    assert done.returncode == 0


def test_systemd_leaves_the_server_to_the_node():
    """Told by SIGTERM itself, the server would end without having stepped down."""
    lines = unit("systemd", "--folder=/var/lib/sessile/node").splitlines()

    assert "KillMode=mixed" in lines
    assert "StateDirectory=sessile/node" in lines


def test_unit_has_the_words_it_was_printed_with():
    """All of them, so that a node that was tried is the one that is installed."""
    words = ["--name=a", f"--peers={PEERS}", "--folder=/srv/n", "--listen=127.0.0.1:5222"]
    words += ["--ca=/tls/ca.pem", "--cert=/tls/a.pem", "--key=/tls/a.key", "--disk=3GB"]
    words += ["--memory=1GB", "--sync=10s", "--server=/opt/nats-server"]
    (service,) = yaml.safe_load(unit("compose", *words))["services"].values()
    again = yaml.safe_load(unit("compose", *service["command"][2:]))

    assert service["command"][:2] == ["sessile", "node"]
    assert again["services"]["sessile-node"]["command"] == service["command"]
    assert [word.partition("=")[0] for word in service["command"][2:]] == [
        *("--name", "--peers", "--folder", "--listen", "--ca", "--cert", "--key"),
        *("--disk", "--memory", "--sync", "--server"),
    ]


def test_compose_takes_its_file():
    """One service, on the network of its host."""
    told = yaml.safe_load(unit("compose", "--folder=/srv/it's $HOME"))
    service = told["services"]["sessile-node"]

    assert service["network_mode"] == "host"
    assert service["volumes"] == ["/srv/it's $$HOME:/srv/it's $$HOME"]
    assert service["stop_grace_period"] == "60s"


def test_kubernetes_takes_its_file():
    """A service, a budget, and three nodes whose names are those of their certificates."""
    service, budget, nodes = yaml.safe_load_all(unit("kubernetes"))
    (container,) = nodes["spec"]["template"]["spec"]["containers"]
    words = dict(word[2:].split("=", 1) for word in container["command"][2:])

    assert [one["kind"] for one in (service, budget, nodes)] == [
        "Service", "PodDisruptionBudget", "StatefulSet",
    ]  # fmt: skip
    assert words["peers"] == ",".join(f"sessile-{n}=sessile-{n}.sessile" for n in range(3))
    assert nodes["spec"]["replicas"] == 3
    assert service["spec"]["selector"] == nodes["spec"]["selector"]["matchLabels"]
    assert service["metadata"]["name"] == nodes["spec"]["serviceName"]


@pytest.mark.parametrize("kind", ["systemd", "compose", "kubernetes"])
def test_unit_has_no_secret(kind):
    """It says where they come from."""
    text = unit(kind)

    assert "never-looked-at" not in text
    assert "SESSILE_SECRETS" in text
