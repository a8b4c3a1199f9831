"""A nightly import, one client after another, each as a run: `python -m examples.tracked_function`."""

from __future__ import annotations

import sys

import producers

LEADS = {"acme": ["Ada", "Grace", "Edsger"], "Jane-Doe": ["Alan"], "quiet": []}


@producers.tracked("nightly_import", client=lambda tenant: tenant, metrics=lambda found: {"leads_processed": len(found)}, exclusive=True)
def import_leads(tenant: str) -> list[str]:
    """The tenant's new leads. Raises KeyError for a tenant that is not known: the run is Failed then."""
    found = LEADS[tenant]
    for name in found:
        check(name)
    return found


def check(name: str) -> None:
    """Something deep inside that has no run at hand, and counts all the same."""
    if len(name) < 4:
        producers.current_run().skip("NO_CONTENT")


def main() -> int:
    """One tenant's failure stops no other's import; the exit code says that there was one."""
    failed = 0
    for tenant in (*LEADS, "unknown"):
        try:
            print(tenant, len(import_leads(tenant)))
        except KeyError:
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
