"""``python -m fuzz TARGET``: look for an input that breaks what must always hold.

``--runs 20000`` tries that many and forgets them; ``--seconds 600`` goes on for so long, and keeps
what it learned in ``.fuzz/TARGET`` for the next time. An input that breaks something is written to
``.fuzz``; ``python -m fuzz TARGET .fuzz/crash-...`` repeats it.
"""

import argparse
import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

TARGETS = ("cookie", "ticket", "record", "forwarded")
PATIENCE = 10  # seconds after which an input has failed to be bounded work


def main() -> None:
    """Run one target; leave with a code other than 0 when something broke."""
    asked = arguments()
    try:
        import atheris  # noqa: PLC0415  (there is no wheel for every platform)
    except ModuleNotFoundError:
        sys.exit("fuzzing needs atheris, of the test group: pip install --group test")
    with atheris.instrument_imports(include=["sessile", "fuzz", "ipaddress"]):
        target = importlib.import_module(f"fuzz.{asked.target}")
    atheris.Setup([sys.argv[0], *options(asked, target)], target.check)
    atheris.Fuzz()  # ends the process


def arguments() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("input", nargs="?", type=Path, help="a file to try again")
    parser.add_argument("--runs", type=int, help="try so many inputs")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins")
    parser.add_argument("--seconds", type=int, default=60, help="how long to try without --runs")
    parser.add_argument("--keep", type=Path, default=Path(".fuzz"), help="where files are kept")
    return parser.parse_args()


def options(asked: argparse.Namespace, target: ModuleType) -> list[str]:
    """Return the words for libFuzzer."""
    if asked.input:
        return [str(asked.input)]
    words = [
        f"-max_len={target.LONGEST}",
        f"-timeout={PATIENCE}",
        f"-artifact_prefix={asked.keep}/",
    ]
    words += [
        f"-seed={asked.seed}",
        f"-seed_inputs={write_seeds(asked.keep / 'seeds', target.SEEDS)}",
    ]
    if asked.runs:
        return [*words, f"-runs={asked.runs}"]
    learned = asked.keep / asked.target
    learned.mkdir(exist_ok=True)
    return [*words, f"-max_total_time={asked.seconds}", str(learned)]


def write_seeds(folder: Path, seeds: tuple[bytes, ...]) -> str:
    """Write the first inputs to files and return their names, as libFuzzer wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / hashlib.sha256(seed).hexdigest()[:16] for seed in seeds]
    for file, seed in zip(files, seeds, strict=True):
        file.write_bytes(seed)
    return ",".join(map(str, files))


if __name__ == "__main__":
    main()
