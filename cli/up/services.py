"""The services there are: their command lines, environments and signs of being ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cli.up.service import Service, Stage

_LOOPBACK = "127.0.0.1"
_CELERY = (sys.executable, "-m", "celery", "-A", "worker")
_RUNTALLY = (sys.executable, "-m", "cli.main")
FLOWER_USER = "runtally"
Environment = Mapping[str, str]


def url_of(port: int) -> str:
    """The loopback URL of a port."""
    return f"http://{_LOOPBACK}:{port}"


def sandbox(environment: Environment, port: int, folder: Path) -> Service:
    """The stand-in for Airtable. Its token is in the environment."""
    command = [*_RUNTALLY, "sandbox", "--host", _LOOPBACK, "--port", str(port), "--data-dir", str(folder)]
    return Service("sandbox", command, environment, Stage.BASE, health_url=url_of(port))


def worker(environment: Environment, number: int) -> Service:
    """A worker with four threads: it waits for Redis and Airtable more than it computes, and ends quickly."""
    command = [*_CELERY, "worker", "-P", "threads", "-c", "4", "-n", f"worker{number}@%h", "--without-gossip", "--without-mingle"]
    return Service(f"worker{number}", command, environment, Stage.WORK, ready_text=" ready.")


def beat(environment: Environment, folder: Path) -> Service:
    """The clock of the periodic tasks."""
    command = [*_CELERY, "beat", "--schedule", str(folder / "beat-schedule"), "--pidfile="]
    return Service("beat", command, environment, Stage.EDGE, ready_text="beat: Starting")


def flower(environment: Environment, port: int, password: str) -> Service:
    """Flower, for the tasks, behind a password: whoever reaches it can end workers."""
    options = {
        "FLOWER_ADDRESS": _LOOPBACK,
        "FLOWER_PORT": str(port),
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password}",
        "FLOWER_PERSISTENT": "False",
    }
    return Service("flower", [*_CELERY, "flower"], {**environment, **options}, Stage.EDGE, health_url=f"{url_of(port)}/healthcheck")


def web(environment: Environment, port: int) -> Service:
    """The dashboard."""
    command = [*_RUNTALLY, "web", "--host", _LOOPBACK, "--port", str(port)]
    return Service("web", command, environment, Stage.EDGE, health_url=f"{url_of(port)}/healthz")
