"""The page people look at. Reads rows, never writes them."""

from dashboard.app import create_app

__all__ = ["create_app"]
