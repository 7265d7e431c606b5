"""What the node of this host runs, until nobody uses it. ``local_node`` starts it."""

import sys
from pathlib import Path

from sessile.cluster.configuration import NodeConfig
from sessile.cluster.local_node import LINGER, NAME, LocalNode
from sessile.cluster.node import NodeRun, describe
from sessile.cluster.program import NatsProgram
from sessile.wire import system
from sessile.wire.programs import print_line

_DISK = 1 << 30
_SYNC = "10s"  # who develops waits for no disk


def serve(folder: Path, port: int) -> int:
    """Run the node until nobody has used it for some seconds; return an exit code."""
    node = LocalNode(folder)
    config = NodeConfig(NAME, (), folder / "node", port=port, disk=_DISK, sync=_SYNC)
    program = NatsProgram.find()
    for line in describe(config, program, node.ring, system.clock()):
        print_line(f"sessile: {line}\n".encode())
    run = NodeRun(config, program, node.ring, relay=print_line, ends_with_us=True)
    node.attendance.call_after(LINGER, run.stop)
    return 0 if run.run().was_asked else 1


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), int(sys.argv[2])))
