"""What the webhook routes of one application share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producers.gateway.store import Store
from producers.gateway.webhooks.handling import Handling
from producers.gateway.webhooks.letters import WebhookLetters
from producers.gateway.webhooks.receipts import Receipts
from producers.gateway.webhooks.vault import Vault

if TYPE_CHECKING:
    from contract.settings import Settings

_MOST_ANNOUNCED = 10_000


class Webhooks:
    """One for each event loop."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Connects to nothing yet."""
        self.vault = Vault(settings.webhook_secrets)
        self.receipts = Receipts(store, settings.id_memory_s)
        self.letters = WebhookLetters(store, settings)
        self.handling = Handling()
        self._announced: set[tuple[str, str]] = set()

    def is_announced(self, run: str, client: str) -> bool:
        """Whether this process has told the log of the client's run already."""
        return (run, client) in self._announced

    def announced(self, run: str, client: str) -> None:
        """The log has it. Forgetting is harmless: the same events are told again, and count once."""
        if len(self._announced) >= _MOST_ANNOUNCED:
            self._announced.clear()
        self._announced.add((run, client))

    async def close(self) -> None:
        """End what is worked on, as far as a few seconds suffice."""
        await self.receipts.close()
        self.handling.close()
