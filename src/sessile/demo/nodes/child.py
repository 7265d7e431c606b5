"""What a node's process runs: ``cluster.node``, until its standard input ends. See ``process``."""

import sys
from threading import Thread

from sessile.cluster.node import NodeRun
from sessile.cluster.program import NatsProgram
from sessile.demo.nodes.config import DemoNodeConfig
from sessile.service.options import ring_of_settings
from sessile.wire.programs import print_line


def serve(config: DemoNodeConfig) -> int:
    """Run the node until the parent hangs up, which kills it; return an exit code."""
    ring = ring_of_settings(None)
    assert ring is not None, "the parent sets it"
    program = NatsProgram.find()
    run = NodeRun(config.node(), program, ring, relay=print_line, ends_with_us=True)
    Thread(target=_kill_after, args=(run,), daemon=True).start()
    end = run.run()
    return 0 if end.was_asked else 1


def _kill_after(run: NodeRun) -> None:
    sys.stdin.buffer.read()
    run.kill()


if __name__ == "__main__":
    sys.exit(serve(DemoNodeConfig.from_environ()))
