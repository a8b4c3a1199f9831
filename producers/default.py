"""The publisher of this process, made from the environment at first use."""

from __future__ import annotations

import os
import threading

from producers.publisher import Publisher

_lock = threading.Lock()
_publisher: Publisher | None = None

# A child forked while another thread loads the settings could never load them.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def publisher() -> Publisher:
    """The process's own publisher. Raises SettingsInvalid at the first call when the environment is wrong."""
    global _publisher  # noqa: PLW0603  # one publisher a process is the point
    if _publisher is None:
        with _lock:
            if _publisher is None:
                from contract.settings import load_settings

                _publisher = Publisher(load_settings())
    return _publisher


def use(replacement: Publisher | None) -> Publisher | None:
    """Let the module's calls use another publisher from now on (None: one made from the environment again); the one before."""
    global _publisher
    before, _publisher = _publisher, replacement
    return before
