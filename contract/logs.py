"""Log lines: JSON in production, readable in a terminal, always with what they are about and never with a secret (spec §8)."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from contract.webhook_secrets import texts_of

if TYPE_CHECKING:
    from contract.settings import Settings

_SECRET_NAME = re.compile(r"token|secret|passw|authorization|api_key|dsn|credential", re.IGNORECASE)
_URL_LOGIN = re.compile(r"(\w+://)[^/\s@]*@")
_HIDDEN = "***"


class Redact:
    """Hides values under names that promise a secret, logins in URLs, and every known secret wherever it stands."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        for name, value in line.items():
            if _SECRET_NAME.search(name) and value is not None:
                line[name] = _HIDDEN
            elif isinstance(value, str):
                line[name] = self.text(value)
        return line

    def text(self, text: str) -> str:
        """The text without logins and known secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _URL_LOGIN.sub(rf"\1{_HIDDEN}@", text)


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is not to be shown."""
    return _SECRET_NAME.search(name) is not None


def redactor(settings: Settings, *more: str) -> Redact:
    """Hides the secrets among the settings, the passwords in their URLs, and `more`."""
    urls = [url.get_secret_value() for url in (settings.redis_url, settings.broker_url) if url is not None]
    passwords = [password for url in urls if (password := urlsplit(url).password)]
    token = [] if settings.airtable_token is None else [settings.airtable_token.get_secret_value()]
    return Redact((*token, *urls, *passwords, *texts_of(settings.webhook_secrets), *more))


def _scope(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """`CLIENT` for a line about one client, else `SYSTEM`."""
    line.setdefault("scope", "CLIENT" if line.get("client_id") else "SYSTEM")
    return line


def _no_tick(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Scheduler: Sending due task")


def configure_logs(settings: Settings, level: int = logging.INFO) -> None:
    """Send all log lines of this process, ours and the libraries', to stderr. To be called once, by whoever owns the process."""
    redact = redactor(settings)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scope,
        redact,
    ]
    last: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # A line for each doorbell and each tick would drown the others; failures are still told.
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("celery.beat").addFilter(_no_tick)
