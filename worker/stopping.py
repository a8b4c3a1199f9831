"""Told when this worker is to stop: turns that are under way end at the next step."""

from __future__ import annotations

import threading

stopping = threading.Event()
"""Set at the warm shutdown of the worker; never cleared."""
