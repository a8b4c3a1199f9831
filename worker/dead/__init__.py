"""Dead letters: what was set aside can be looked at, repaired, sent again and dropped (docs/dead-letters.md)."""

from worker.dead.again import Again, again
from worker.dead.letter import AIR, DeadLetter
from worker.dead.letters import DeadLetters
from worker.dead.retry import Retry
from worker.dead.wanted import Wanted

__all__ = ["AIR", "Again", "DeadLetter", "DeadLetters", "Retry", "Wanted", "again"]
