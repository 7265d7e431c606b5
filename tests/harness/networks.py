"""Hosts of a network of their own on this machine, in namespaces of the kernel; for root alone."""

import os
import shutil
import subprocess
from contextlib import suppress


def run_ip(*words):
    """Run ``ip``; its error is ours."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Network:
    """Hosts on one switch, beside this machine, which is a host too.

    Args:
        names: of the hosts.

    Attributes:
        addresses: of the hosts, by name.
    """

    def __init__(self, names):
        number = os.getpid() % 250
        self._mark = f"sx{os.getpid() % 100_000}"
        self.addresses = {name: f"10.213.{number}.{n}" for n, name in enumerate(names, 1)}
        self._own = f"10.213.{number}.254/24"

    def launcher(self, name):
        """Return the words that start a program on a host."""
        return ("ip", "netns", "exec", self._space(name))

    def unplug(self, name):
        """Take a host off the switch: what is sent to it goes nowhere, and nobody is told."""
        run_ip("link", "set", self._port(name), "nomaster")

    def plug_in(self, name):
        """Put it back."""
        run_ip("link", "set", self._port(name), "master", self._mark)

    def _space(self, name):
        return f"{self._mark}-{name}"

    def _port(self, name):
        return f"{self._mark}{name}"

    def __enter__(self):
        try:
            run_ip("link", "add", self._mark, "type", "bridge")
            run_ip("addr", "add", self._own, "dev", self._mark)
            run_ip("link", "set", self._mark, "up")
            for name, address in self.addresses.items():
                self._add(name, address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _add(self, name, address):
        space, port = self._space(name), self._port(name)
        run_ip("netns", "add", space)
        run_ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        run_ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        run_ip("-n", space, "link", "set", "eth0", "up")
        run_ip("-n", space, "link", "set", "lo", "up")
        run_ip("link", "set", port, "master", self._mark, "up")

    def __exit__(self, *exc):
        for name in self.addresses:
            _delete("link", self._port(name))
            _delete("netns", self._space(name))
        _delete("link", self._mark)


def _delete(kind, name):
    with suppress(subprocess.CalledProcessError):  # it was not made
        run_ip(kind, "delete", name)


def why_no_networks():
    """Return why no network can be made here; None where one can."""
    if shutil.which("ip") is None:
        return "there is no program ip: apt-get install iproute2"
    try:
        with Network(["a"]):
            return None
    except subprocess.CalledProcessError as error:
        return error.stderr.strip()
