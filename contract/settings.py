"""All settings, read once, typed and frozen. Environment names have the prefix `RUNTALLY_`; `.env` is read too.

Nothing else reads the environment. A misspelt `RUNTALLY_` name is an error there and in `.env`, since pydantic-settings would let it
pass. Names are read in either case.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict, SettingsError

from contract.errors import SettingsInvalid
from contract.sources import is_reserved
from contract.webhook_secrets import WebhookSecrets, check_secrets

_PREFIX = "RUNTALLY_"


class Settings(BaseSettings):
    """What can be set. Units stand in the names: `_s` seconds, `_ms` milliseconds, `_bytes` bytes."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_file=".env", frozen=True, extra="ignore")

    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Log, rows and leases: redis://, rediss:// or unix://.")
    broker_url: SecretStr | None = Field(None, description="Celery's broker; the same Redis when unset.")
    partitions: int = Field(8, ge=1, le=1024, description="Partitions of the log. Recorded in Redis at first use, fixed from then on.")

    service: str = Field(
        "runtally", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Name of the emitting service; part of the events' source."
    )
    delivery: Literal["appended", "fsynced", "replicated"] = Field(
        "appended", description="When a batch counts as delivered: in Redis' memory, on its disk (WAITAOF), or in its replicas (WAIT)."
    )
    replicas: int = Field(1, ge=1, le=100, description="How many replicas must hold a batch at the level `replicated`.")
    durable: bool = Field(False, description="Every event is on this host's disk before emit returns. Costs an fsync.")
    linger_ms: int = Field(20, ge=0, le=10_000, description="How long an event may wait for company before it is sent.")
    batch_events: int = Field(500, ge=1, le=5_000, description="Most events in one log entry.")
    batch_bytes: int = Field(262_144, ge=1_024, le=8_388_608, description="Most bytes in one log entry, unless one event alone is larger.")
    buffer_events: int = Field(100_000, ge=100, description="Most events waiting to be sent; further ones are dropped and counted.")
    drain_timeout_s: float = Field(5.0, ge=0, description="How long exit and SIGTERM wait for events not yet delivered.")
    spool_dir: Path = Field(Path(".runtally/spool"), description="Where events wait while Redis is away. On a local disk.")
    spool_bytes: int = Field(1_073_741_824, ge=65_536, description="Most bytes in spool_dir, of all publishers on the host together.")
    log_max_entries: int = Field(1_000_000, ge=1, description="Entries in a partition's log above which publishers spool, if workers lag.")

    airtable_url: str = Field("https://api.airtable.com", description="Airtable's API, or a sandbox.")
    airtable_token: SecretStr | None = Field(None, description="Personal access token. No default.")
    airtable_base_id: str | None = Field(None, description="The base that holds both tables (app…).")
    airtable_calls_per_month: int | None = Field(None, ge=1, description="Call budget; none when unset.")
    airtable_timeout_s: float = Field(20.0, gt=0, description="Longest wait for one answer of Airtable.")
    flush_interval_s: float = Field(5.0, ge=0, description="Pause between flushes; 0 is as fast as Airtable's limit allows.")

    gateway_body_bytes: int = Field(1_048_576, ge=1_024, le=67_108_864, description="Largest body of a request to the gateway.")
    gateway_batch_events: int = Field(1_000, ge=1, le=10_000, description="Most events in one request to the gateway.")
    gateway_requests_per_s: float = Field(200.0, gt=0, description="Requests a second the gateway takes from one token, in each process.")

    webhook_secrets: WebhookSecrets = Field(
        default_factory=dict,
        description='Secrets of webhook senders, JSON: client ID, or "*" for every client -> list of secrets. None when unset: closed.',
    )
    webhook_run: Literal["day", "hour"] = Field("day", description="How long one run gathers the leads, or profiles, of webhooks (UTC).")
    handlers: str | None = Field(None, pattern=r"^\w+(\.\w+)*$", description="Module with your functions for leads, profiles and jobs.")

    lineage_file: Path | None = Field(None, description="TOML that says what of OpenLineage's events becomes metrics.")

    stale_after_s: float = Field(1_800.0, gt=0, description="A run without an event for so long is closed as Failed.")
    verify_interval_s: float = Field(3_600.0, ge=0, description="Pause between the checks that beat asks for; 0 for none.")
    verify_airtable: bool = Field(False, description="Beat's checks read all of Airtable as well: a call for every 100 records.")
    lock_ttl_s: float = Field(1_800.0, ge=0.1, description="How long after its owner's death a lock against duplicate jobs ends.")
    retention_s: int = Field(1_209_600, ge=1, description="How long the rows of a finished run stay after its last event and flush.")
    log_retention_s: int = Field(86_400, ge=0, description="How long folded log entries are kept.")
    id_memory_s: int = Field(172_800, ge=60, description="How long IDs of events without a sequence are remembered.")
    publisher_memory_s: int = Field(1_209_600, ge=3_600, description="How long the watermark of a silent publisher is kept.")
    dead_letters: int = Field(100_000, ge=1, description="Most dead letters kept a partition; the oldest go first.")
    run_id: str | None = Field(None, description="The run this program is part of. Given by `runtally exec` to what it starts.")
    metrics_file: Path | None = Field(None, description="TOML with metrics, rates and field names of your own.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Log lines: JSON, readable, or by whether stderr is a terminal."
    )

    @field_validator("service")
    @classmethod
    def _not_runtallys_own(cls, service: str) -> str:
        if is_reserved(f"/{service}"):
            raise ValueError("that is a source of Runtally's own: give the service another name")
        return service

    @field_validator("webhook_secrets")
    @classmethod
    def _usable(cls, secrets: WebhookSecrets) -> WebhookSecrets:
        check_secrets(secrets)
        return secrets

    @property
    def has_airtable(self) -> bool:
        """Whether rows are written to Airtable: there is a token and a base."""
        return self.airtable_token is not None and bool(self.airtable_base_id)

    @property
    def broker(self) -> str:
        """The broker's URL in the clear, for Celery only."""
        return (self.broker_url or self.redis_url).get_secret_value()


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`, with `overrides` on top. Raises SettingsInvalid naming what to mend."""
    env_file: Any = overrides.get("_env_file", Settings.model_config["env_file"])
    for source, names in (("the environment", os.environ), (".env", DotEnvSettingsSource(Settings, env_file=env_file).env_vars)):
        _check_names(source, names)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        faults = "; ".join(f"{_PREFIX}{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}" for fault in error.errors())
        raise SettingsInvalid(faults) from None
    except SettingsError as error:
        # Its cause quotes the value, which may be a secret.
        raise SettingsInvalid(f"{error}: it is not JSON of the form that is asked for") from None


def _check_names(source: str, names: Iterable[str]) -> None:
    known = {_PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name.upper() for name in names if name.upper().startswith(_PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsInvalid(f"unknown setting {', '.join(unknown)} in {source}; known are {', '.join(sorted(known))}")
