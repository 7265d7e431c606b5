"""``sessile balancer kubernetes``: judged by the schema of Kubernetes, where there is one here."""

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from sessile.cli.app import app

AFFINITIES = ("cookie", "address", "none")
COOKIE = "ingress-route"
SIGNS = "\n\r\t \"'`\\#;{}$%*|&()<>,=!?\0é"


def run(*words):
    """Run the command, which takes no secrets."""
    environ = {"SESSILE_SECRETS": None, "SESSILE_URL": None}
    return CliRunner().invoke(app, ["balancer", "kubernetes", *words], env=environ)


def manifests(*words):
    """Return what it prints, by kind and name."""
    done = run(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("# Not run by the tests of sessile. ")
    found = list(yaml.safe_load_all(done.stdout))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.mark.parametrize("affinity", AFFINITIES)
def test_ingress_is_one_by_the_schema(affinity):
    """And so is its Service; whatever the names are, they stay texts."""
    version = kubernetes_validate.latest_version()
    words = ("--service=null:8000", f"--affinity={affinity}", "--host=1.2", "--class=1")
    found = manifests("ingress", *words)

    for each in found.values():
        kubernetes_validate.validate(each, version, strict=True)
    assert set(found) == {("Service", "null"), ("Ingress", "null")}
    ingress, service = found["Ingress", "null"], found["Service", "null"]
    (rule,) = ingress["spec"]["rules"]
    told = {**ingress["metadata"]["annotations"], **service["metadata"].get("annotations", {})}
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert (rule["host"], ingress["spec"]["ingressClassName"]) == ("1.2", "1")
    assert backend == {"name": "null", "port": {"number": 8000}}
    assert list(told.values()).count(COOKIE) == (3 if affinity == "cookie" else 0)
    assert ("source" in told.values()) is (affinity == "address")


@pytest.mark.parametrize("affinity", ["cookie", "none"])
def test_gateway_leads_to_the_service(affinity):
    """Over https alone. No release of Kubernetes has its schema, so its parts are looked at."""
    found = manifests("gateway", "--service=shop:8000", f"--affinity={affinity}", "--class=eg")
    gateway, route = found["Gateway", "shop"], found["HTTPRoute", "shop"]
    plain = found["HTTPRoute", "shop-to-https"]
    (rule,) = route["spec"]["rules"]

    listeners = {each["name"]: each["port"] for each in gateway["spec"]["listeners"]}
    assert listeners == {"http": 80, "https": 443}
    assert gateway["spec"]["gatewayClassName"] == "eg"
    assert plain["spec"]["rules"][0]["filters"][0]["type"] == "RequestRedirect"
    assert rule["backendRefs"] == [{"name": "shop", "port": 8000}]
    persistence = {"sessionName": COOKIE, "type": "Cookie"} if affinity == "cookie" else None
    assert rule.get("sessionPersistence") == persistence


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ingress", "--service=shop"], "'shop' is no Service and its port: write shop:8000"),
        (["ingress", "--service=Shop:80"], "of small letters, digits and -"),
        (["ingress", "--service=shop:0"], "0 is no port"),
        (["ingress", "--service=shop:80", "--host=a b"], "'a b' is no host"),
        (["gateway", "--service=shop:80", "--class=A"], "'A' is no class: write one of those"),
        (["gateway", "--service=shop:80", "--affinity=address"], "no affinity by address: write"),
    ],
)
def test_error_says_what_to_write(words, says):
    """One line: what is wrong, and what is right."""
    done = run(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


@pytest.mark.parametrize("option", ["service", "host", "class"])
def test_no_argument_adds_a_line(option):
    """A sign that means something to YAML is refused, wherever it stands."""
    good = {"service": "shop:80", "host": "shop.example", "class": "nginx"}
    for sign in SIGNS:
        for bad in (f"{good[option][:2]}{sign}x:80", f"{sign}{good[option]}", f"shop{sign}"):
            words = {**good, option: bad}
            done = run("ingress", *(f"--{name}={value}" for name, value in words.items()))
            assert done.exit_code == 2, bad
