"""Requests per second on three hosts, as a share of the same application without sessions.

Each request goes to another session and, through the balancer, to the next host; without it each of
three threads of ``wrk`` asks a host, and the sessions of all hosts in turn. A share is taken within
a round, as in ``benchmarks.throughput``. What was answered 503 does not count.
"""

import asyncio
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.cluster.hosts import await_answer, cluster, site
from benchmarks.cluster.report import Finding
from benchmarks.cluster.tabs import start_jars
from benchmarks.cpu import rotate

NONE, MEMORY = "none", "memory"
PAGES = {"read": "GET", "write": "POST"}
SESSIONS, CONNECTIONS = 60, 15
LEAST = {"read": 0.5, "write": 0.25}
OF_MEMORY = 0.9

SCRIPT = """
local ports, cookies, begun, n = {{ {ports} }}, {{ {cookies} }}, 0, 0
function setup(thread)
  begun = begun + 1
  thread.addr = wrk.lookup("127.0.0.1", ports[begun])[1]
  thread:set("own", begun)
end
request = function()
  n = n % #cookies[own] + 1
  return wrk.format("{method}", "/{page}", {{ ["Cookie"] = cookies[own][n] }})
end
"""


class Target:
    """Three hosts that are asked, and sessions for each of them.

    Args:
        hosts: three, of one worker each.
        balancer: in front of them.
        is_shared: whether each host knows the sessions of all.
    """

    def __init__(self, hosts, balancer, *, is_shared):
        self.ports = [port for host in hosts for port in host.ports]
        self.balancer = balancer.port
        jars = [asyncio.run(start_jars(SESSIONS, [port])) for port in self.ports]
        if is_shared:  # each host is asked for those of another one, too
            jars = [[one for many in zip(*jars, strict=True) for one in many]] * len(jars)
        self.cookies = [[_header(jar) for jar in those] for those in jars]

    def rate(self, page, folder, seconds, *, balanced):
        """Return how many requests a second are answered."""
        ports = [self.balancer] * len(self.ports) if balanced else self.ports
        script = Path(folder, "load.lua")
        lists = ("{" + ", ".join(f'"{one}"' for one in those) + "}" for those in self.cookies)
        script.write_text(
            SCRIPT.format(
                ports=", ".join(f'"{port}"' for port in ports),
                cookies=", ".join(lists),
                method=PAGES[page],
                page=page,
            )
        )
        command = ["wrk", f"-t{len(ports)}", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script]
        command += [f"http://127.0.0.1:{ports[0]}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Socket errors" in said:
            raise SystemExit(f"{page}: {said}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        answered = int(re.search(r"(\d+) requests in", said)[1])
        return rate * (1 - int(refused[1]) / answered) if refused else rate


def _header(jar):
    return "; ".join(f"{name}={value}" for name, value in jar.cookies.items())


def measure(asked, folder):
    """Return {scheme: what is found}."""
    with ExitStack() as stack:
        hosts = stack.enter_context(cluster(asked.schemes[0], sync=asked.sync))
        urls = {NONE: [""] * 3, MEMORY: ["memory://"] * 3}
        for scheme in asked.schemes:
            urls[scheme] = [
                hosts.url([node], scheme, f"speed-{scheme}") for node in hosts.nodes.nodes
            ]
        targets = {name: stack.enter_context(site(each)) for name, each in urls.items()}
        for name in asked.schemes:
            await_answer(targets[name][0][0].ports[0])
        targets = {
            name: Target(*each, is_shared=name in asked.schemes) for name, each in targets.items()
        }
        rates = run_rounds(targets, asked, folder)
    return {scheme: findings(rates, scheme) for scheme in asked.schemes}


def run_rounds(targets, asked, folder):
    """Return {(name, page, whether the balancer is between): rate of each round}."""
    kinds = [
        (name, page, balanced) for balanced in (False, True) for page in PAGES for name in targets
    ]
    kinds = [kind for kind in kinds if kind[0] != MEMORY or not kind[2]]
    rates = {kind: [] for kind in kinds}
    for turn in range(asked.turns):
        for name, page, balanced in rotate(kinds, turn):
            rate = targets[name].rate(page, folder, asked.seconds, balanced=balanced)
            rates[name, page, balanced].append(rate)
    return rates


def findings(rates, scheme):
    """Return what is said of one kind of store."""

    def share(page, balanced, of=NONE):
        pairs = zip(rates[scheme, page, balanced], rates[of, page, balanced], strict=True)
        return median(one / other for one, other in pairs)

    direct, through = ({page: share(page, way) for page in PAGES} for way in (False, True))
    of_memory = share("read", False, MEMORY)
    return [
        Finding(
            "throughput over its own floor without sessions, read / write",
            f"{through['read']:.2f} / {through['write']:.2f}",
            all(through[page] >= LEAST[page] for page in PAGES),
        ),
        Finding("the same, without the balancer", f"{direct['read']:.2f} / {direct['write']:.2f}"),
        Finding("a read over one of `memory://`", f"{of_memory:.2f}", of_memory >= OF_MEMORY),
    ]
