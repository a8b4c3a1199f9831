"""The process of one fault. Arguments: its module, seed and seconds. Writes the verdict as JSON to the file named last."""

from __future__ import annotations

import json
import signal
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Run it; what it raises goes to stderr."""
    module, seed, seconds, file = sys.argv[1:]
    # With an exception, not at once: so the fault's own children and directories are tidied up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    verdict = import_module(module).run(int(seed), float(seconds))
    Path(file).write_text(json.dumps(verdict))


if __name__ == "__main__":
    main()
