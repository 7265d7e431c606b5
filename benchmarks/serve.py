"""One contestant for a real server: ``uvicorn --factory benchmarks.serve:app``."""

import os

from benchmarks.contestants import BY_NAME


def app():
    """Build the application that the environment names."""
    environ = os.environ
    return BY_NAME[environ["BENCH_NAME"]].make(environ["BENCH_REDIS"], environ["BENCH_FOLDER"])
