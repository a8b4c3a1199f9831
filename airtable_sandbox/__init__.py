"""A local stand-in for Airtable that speaks its Web API: for the demo and the tests. See docs/sandbox.md."""

from airtable_sandbox.limits import Limits
from airtable_sandbox.remote import Remote
from airtable_sandbox.server import Sandbox, serve
from airtable_sandbox.workspace import FIRST_BASE_ID

__all__ = ["FIRST_BASE_ID", "Limits", "Remote", "Sandbox", "serve"]
