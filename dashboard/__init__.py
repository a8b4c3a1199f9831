"""The page people look at. Reads rows, never writes them."""

from dashboard.app import create_app
from dashboard.stored_jobs import StoredJobs

__all__ = ["StoredJobs", "create_app"]
