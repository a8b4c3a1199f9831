"""The health page: plain HTML for a person, made on the server, without scripts."""

from __future__ import annotations

from html import escape

from contract.version import __version__
from dashboard.health import Health

REFRESH_S = 5

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{again}<title>{title} · Runtally</title>
<link rel="stylesheet" href="/static/runtally.css">
</head>
<body>
<main>
<h1>Runtally</h1>
<p class="state {kind}" role="status">{title}</p>
{reason}<dl>
{facts}
</dl>
</main>
<footer>
<nav aria-label="Page">{refreshing}<a href="/healthz">As JSON</a></nav>
<p>Version {version}</p>
</footer>
</body>
</html>
"""
_AGAIN = f'<meta http-equiv="refresh" content="{REFRESH_S}">\n'


def health_page(health: Health, *, refresh: bool) -> str:
    """The page as HTML; everything that comes from outside is escaped.

    With `refresh` it loads itself anew, which takes the focus from whoever uses the keyboard: one of its links stops that."""
    facts = "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in _facts(health))
    return _PAGE.format(
        again=_AGAIN if refresh else "",
        refreshing='<a href="/?refresh=0">Stop refreshing</a>' if refresh else f'<a href="/">Refresh every {REFRESH_S} s</a>',
        title="All is well" if health.ok else "Something is wrong",
        kind="well" if health.ok else "ill",
        reason=f'<p class="reason">{escape(health.reason)}</p>\n' if health.reason else "",
        facts=facts,
        version=escape(__version__),
    )


def _facts(health: Health) -> list[tuple[str, str]]:
    if not health.redis:
        return [("Redis", "does not answer")]
    if not health.ok:
        return [("Redis", "answers")]
    backlog = health.backlog
    waiting = f"{backlog.partitions} of {health.partitions} partitions, oldest {backlog.oldest_s:g} s" if backlog.partitions else "nothing"
    return [
        ("Redis", "answers"),
        ("Runs", f"{health.runs:,}"),
        ("Jobs and client runs under way", f"{health.running:,}"),
        ("Events counted", f"{health.events:,}"),
        ("Waiting to be counted", waiting),
        ("Rows waiting for Airtable", f"{health.dirty:,}"),
        ("Dead letters", f"{health.dead:,}"),
        ("Findings of verify", f"{health.findings:,}"),
        ("Values dropped", f"{health.dead_value:,}"),
        ("Values of unknown metrics", f"{health.unknown_metrics:,}"),
        ("Rates that cannot be true", f"{health.integrity_warnings:,}"),
        ("Events taken by gateways", f"{health.gateway.get('events_taken', 0):,}"),
        ("Requests refused by them", f"{sum(n for name, n in health.gateway.items() if name.startswith('refused_')):,}"),
    ]
