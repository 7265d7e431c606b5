"""nginx and HAProxy with the configurations of docs/deployment.md, on 127.0.0.1."""

import os
import re
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.programs import find_program, free_port

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
PORTS = ("80", "443")


def config_of_page(language):
    """Return the one block of the page in that language."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return block


def replace_each(text, replacements):
    """Replace what has to be there: a test of another text than the page's would show nothing."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not on the page"
        text = text.replace(old, new)
    return text


def nginx_command(folder, block, *, certificate, upstream, http, https):
    """Write a configuration for nginx; return the words that start it."""
    program = find_program("nginx", "nginx", "apt-get install nginx-light")
    site = replace_each(
        block,
        {
            "listen 80;": f"listen 127.0.0.1:{http};",
            "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
            "server 127.0.0.1:8000;": f"server {upstream};",
            "/etc/ssl/shop.pem;": f"{certificate.file};",
            "/etc/ssl/shop.key;": f"{certificate.key};",
        },
    )
    return [program, "-p", str(folder), *nginx_frame(folder, site)]


def nginx_frame(folder, site):
    """Write what stands around a file of nginx's conf.d; return the words that say where it is."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    own = "user root;\n" if os.geteuid() == 0 else ""  # so that its workers see the folder
    (folder / "nginx.conf").write_text(
        f"{own}daemon off;\npid {folder}/pid;\nerror_log {folder}/said;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{site}}}\n"
    )
    return ["-c", "nginx.conf", "-e", str(folder / "said")]


def haproxy_command(folder, block, *, certificate, upstream, http, https):
    """Write a configuration for HAProxy; return the words that start it."""
    program = find_program("haproxy", "haproxy", "apt-get install haproxy")
    both = folder / "both.pem"
    both.write_bytes(Path(certificate.file).read_bytes() + Path(certificate.key).read_bytes())
    config = replace_each(
        block,
        {
            "bind :80\n": f"bind 127.0.0.1:{http}\n",
            "bind :443 ": f"bind 127.0.0.1:{https} ",
            "/etc/ssl/shop.pem": str(both),
            "127.0.0.1:8000": upstream,
        },
    )
    (folder / "haproxy.cfg").write_text(config)
    return [program, "-db", "-f", str(folder / "haproxy.cfg")]


COMMANDS = {"nginx": nginx_command, "haproxy": haproxy_command}


@contextmanager
def serve_proxy(kind, folder, certificate, upstream):
    """Start a proxy in front of an upstream, ``host:port``; give its ports of http and https."""
    folder.mkdir(exist_ok=True)
    for _ in range(20):  # until nobody else takes a port between our look and its start
        ports = {"http": free_port(), "https": free_port()}
        place = {"certificate": certificate, "upstream": upstream, **ports}
        command = COMMANDS[kind](folder, config_of_page(kind), **place)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            if listens(process, ports["https"]):
                yield process, ports["http"], ports["https"]
                return
        finally:
            process.terminate()
            process.wait()
    pytest.fail(f"{kind} does not start:\n{(folder / 'output').read_text()}")


def listens(process, port):
    """Wait until the port is taken; False when the process ends first."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)  # until it listens: no test depends on how long it takes
    return False
