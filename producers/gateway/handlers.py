"""Your own code for what webhooks bring: `RUNTALLY_HANDLERS=package.module` names a module with functions under these decorators.

    from producers.gateway.handlers import Skip, on_leads

    @on_leads
    def take(client_id, lead):
        if "email" not in lead:
            raise Skip("NO_CONTENT")
        save(client_id, lead)

What returns has accepted the item; Skip leaves it out, with its reason; any other exception counts as failed, and the other items go on.
Plain functions run in a thread, coroutines in the gateway's event loop, which they must not block.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from contract.errors import SettingsInvalid
from producers.tally import Skip

__all__ = ["Handler", "Skip", "handler_of", "load_handlers", "on_leads", "on_profiles"]

Handler = Callable[[str, dict[str, Any]], Any]
"""Called with the client ID and the item, a JSON object."""

F = TypeVar("F", bound=Handler)

_registered: dict[str, Handler] = {}


def on_leads(function: F) -> F:
    """Call the function for each lead of `POST /webhooks/leads`. Raises ValueError for a second one."""
    return _register("leads", function)


def on_profiles(function: F) -> F:
    """Call the function for each profile of `POST /webhooks/profiles`. Raises ValueError for a second one."""
    return _register("profiles", function)


def handler_of(kind: str) -> Handler | None:
    """The handler of a kind, `leads` or `profiles`; None if there is none: then every item counts as accepted."""
    return _registered.get(kind)


def load_handlers(module: str | None) -> None:
    """Import the module with the handlers, also from the working directory. Raises SettingsInvalid saying why it cannot be had."""
    if module is None:
        return
    if "" not in sys.path:
        # A console script has its own directory there, not the one it was started in.
        sys.path.insert(0, "")
    try:
        importlib.import_module(module)
    except Exception as error:
        raise SettingsInvalid(f"RUNTALLY_HANDLERS: {module} cannot be imported: {type(error).__name__}: {error}") from error
    if not _registered:
        raise SettingsInvalid(f"RUNTALLY_HANDLERS: {module} has no function under @on_leads or @on_profiles")


def _register(kind: str, function: F) -> F:
    known = _registered.get(kind)
    if known is not None and _name(known) != _name(function):
        raise ValueError(f"@on_{kind} stands at {_name(known)} already: there is one handler for {kind}")
    _registered[kind] = function
    return function


def _name(function: Handler) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
