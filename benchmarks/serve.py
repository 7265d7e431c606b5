"""One peer for a real server: ``uvicorn --factory benchmarks.serve:make_app``."""

import os

from benchmarks.peers import BY_NAME


def make_app():
    """Build the application that the environment names."""
    environ = os.environ
    return BY_NAME[environ["BENCH_NAME"]].make(environ["BENCH_REDIS"], environ["BENCH_FOLDER"])
