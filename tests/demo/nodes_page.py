"""The page of the store's nodes, as a person reads it. Used by the tests of the demo's nodes."""

import re

import httpx

from demo.process import wait_for

LONG = 90.0
"""Seconds for what takes an election, on a busy machine."""


class NodesPage:
    """What the page says just now.

    Args:
        demo: the demo.
    """

    def __init__(self, demo):
        text = httpx.get(f"{demo.url}/nodes/status", timeout=LONG).text
        self.hosts = {}
        for name, card in re.findall(r'data-host="(\w)".*?>(.*?)</li>', text, re.DOTALL):
            self.hosts[name] = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", card)).strip()
        rows = re.findall(r"<tr>\s*<td>(.*?)</tr>", text, re.DOTALL)
        self.shards = [row.partition("</td>")[0] for row in rows]
        found = re.search(r'</td>\s*<td><span class="badge[^"]*">(\w)<', text)
        self.leader = found and found.group(1)
        copies = re.findall(r'data-copy="(\w+)"><span class="badge[^"]*">(\w)<', text)
        self.copies = {name: phase for phase, name in copies}

    @property
    def is_whole(self):
        """Whether every node has everything, and the servers are up."""
        return (
            sorted(self.copies.values()) == ["current", "current", "leads"]
            and all("server up" in host and "ms ago" in host for host in self.hosts.values())
            and len({host.partition("hears")[2][:20] for host in self.hosts.values()}) == 1
        )


def wait_for_page(demo, condition):
    """Wait until the page is as a condition wants it; return what it says then."""
    pages = []

    def look():
        pages.append(NodesPage(demo))
        return condition(pages[-1])

    wait_for(look, LONG)
    return pages[-1]


def order(demo, path):
    """Press a button of the page."""
    answer = httpx.post(f"{demo.url}/nodes/{path}", timeout=LONG)
    assert answer.status_code == 303, answer.text
    return answer
