"""Everything that runs, in the order in which one needs the other."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from cli.up import services
from cli.up.environment import process_environment, settings_environment, write_environment_file
from cli.up.service import Service
from cli.up.stop_signal import StopSignal
from cli.up.supervisor import Supervisor
from cli.up.valkey import ValkeyService
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from embedded import EmbeddedValkey, free_port
from embedded.directory import DataDirectory

if TYPE_CHECKING:
    from worker.flush.schema import Fault

NEEDED = ("celery", "pyairtable", "fastapi", "uvicorn")
_VALKEY_STOP_S = 2.0


@dataclass(frozen=True)
class Options:
    """`web_port` 0: a free one."""

    folder: Path
    workers: int = 1
    web_port: int = 0


@dataclass(frozen=True)
class Links:
    """Where people find what. Empty text: it does not run here. `environment_file` is what other programs need."""

    web: str
    flower: str
    flower_password: str
    sandbox: str
    environment_file: Path


class Stack:
    """A context manager: entering starts everything and waits until it works, leaving ends everything.

    Raises ServiceFailed, ServerFailed, DirectoryInUse and what `init_base` raises; whatever had started has ended then.
    """

    def __init__(self, settings: Settings, options: Options, stop: StopSignal, tell: Callable[[str], None]) -> None:
        """`tell` gets a line for people at each step. Nothing is started or written yet."""
        self.settings = settings
        self._options = options
        self._folder = options.folder.absolute()
        self._stop = stop
        self._tell = tell
        self._supervisor = Supervisor(self._folder, stop, tell)
        self._exits = ExitStack()
        self.links: Links

    def __enter__(self) -> Self:
        for name in NEEDED:
            if importlib.util.find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exits.close()

    def tend(self) -> None:
        """Start again what has died. Call it several times a second."""
        self._supervisor.tend()

    def _start(self) -> None:
        self._exits.callback(DataDirectory(self._folder).close)
        if "spool_dir" not in self.settings.model_fields_set:
            self._set(spool_dir=self._folder / "spool")
        if "redis_url" not in self.settings.model_fields_set:
            self._start_valkey()
        # Ended before the server, after it has started: services need it till their end.
        self._exits.callback(self._supervisor.end)
        sandbox = self._start_sandbox() if self.settings.airtable_token is None else ""
        environment_file = self._folder / "environment"
        write_environment_file(environment_file, settings_environment(self.settings))
        self._exits.callback(environment_file.unlink, missing_ok=True)
        self._start_services(sandbox, environment_file)

    def _start_valkey(self) -> None:
        self._tell("starting valkey")
        server = EmbeddedValkey(self._folder / "valkey")
        server.__enter__()
        self._exits.callback(server.close, _VALKEY_STOP_S)
        self._supervisor.watch(ValkeyService(server))
        self._set(redis_url=SecretStr(server.url))

    def _start_sandbox(self) -> str:
        """Its URL. The tables are made where they are missing, so that rows have somewhere to go."""
        from airtable_sandbox import FIRST_BASE_ID

        self._tell("starting sandbox")
        self._set(airtable_token=SecretStr(secrets.token_urlsafe(24)), airtable_base_id=FIRST_BASE_ID)
        environment = process_environment(self.settings)
        service = self._supervisor.start(lambda: services.sandbox(environment, free_port(), self._folder))
        self._set(airtable_url=service.health_url)
        self._add_formulas(self._make_tables())
        return service.health_url

    def _make_tables(self) -> Sequence[Fault]:
        """What is left to do by hand."""
        from worker.flush.schema import init_base

        link = Link(self.settings.redis_url.get_secret_value(), name="runtally-up")
        link.open()
        try:
            return init_base(self.settings, link, load_registry(self.settings.metrics_file)).by_hand
        finally:
            link.close()

    def _add_formulas(self, lacking: Sequence[Fault]) -> None:
        """The sandbox's own way to make what Airtable's API cannot: the field Duration of both tables."""
        from airtable_sandbox import Remote
        from worker.flush.naming import load_naming
        from worker.flush.schema import duration_formula

        assert self.settings.airtable_token is not None
        remote = Remote(self.settings.airtable_url, self.settings.airtable_token.get_secret_value())
        names = load_naming(self.settings.metrics_file, load_registry(self.settings.metrics_file))
        for naming in (names.job, names.client):
            duration = naming.of("Duration")
            if any(fault.field == duration for fault in lacking if fault.table == naming.table):
                remote.add_formula_field(naming.table, duration, duration_formula(naming))

    def _start_services(self, sandbox: str, environment_file: Path) -> None:
        environment = process_environment(self.settings)
        password = secrets.token_urlsafe(12)
        with_flower = importlib.util.find_spec("flower") is not None
        makers: list[Callable[[], Service]] = [
            lambda: services.web(environment, self._options.web_port or free_port()),
            lambda: services.beat(environment, self._folder),
        ]
        makers += [_worker_maker(environment, number + 1) for number in range(self._options.workers)]
        if with_flower:
            makers.append(lambda: services.flower(environment, free_port(), password))
        self._tell(f"starting web, beat, {self._options.workers} worker(s){', flower' if with_flower else ''}")
        started = self._supervisor.start_all(makers)
        self.links = Links(
            web=started[0].health_url.removesuffix("/healthz"),
            flower=started[-1].health_url.removesuffix("/healthcheck") if with_flower else "",
            flower_password=password if with_flower else "",
            sandbox=sandbox,
            environment_file=environment_file,
        )

    def _set(self, **values: object) -> None:
        self.settings = self.settings.model_copy(update=values)


def _worker_maker(environment: services.Environment, number: int) -> Callable[[], Service]:
    return lambda: services.worker(environment, number)
