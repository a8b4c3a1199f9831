"""The fold: events and rows in, changes out. Plain functions over plain values; imports neither Redis nor Celery."""

from worker.fold.changes import Changes, Entry, Known, Letter, Unreadable, Warned
from worker.fold.fold import fold
from worker.fold.needs import Needs, add_needs, needs_of
from worker.fold.one_by_one import fold_one_by_one, fold_surely
from worker.fold.rules import Rules

__all__ = [
    "Changes",
    "Entry",
    "Known",
    "Letter",
    "Needs",
    "Rules",
    "Unreadable",
    "Warned",
    "add_needs",
    "fold",
    "fold_one_by_one",
    "fold_surely",
    "needs_of",
]
