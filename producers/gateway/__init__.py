"""The gateway: HTTP for whoever does not write Python. It answers 202 only for what the log has (docs/gateway.md)."""

from producers.gateway.app import create_gateway

__all__ = ["create_gateway"]
