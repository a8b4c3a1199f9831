"""`runtally sandbox`: serve a local stand-in for Airtable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 0,
    data_dir: Annotated[Path, typer.Option(help="Where the tables are kept, in sandbox.sqlite3.")] = Path(".runtally"),
) -> None:
    """Serve a local stand-in for Airtable until Ctrl-C or SIGTERM. Its token is RUNTALLY_AIRTABLE_TOKEN, or a new one."""
    import secrets

    from airtable_sandbox import FIRST_BASE_ID, serve
    from contract.errors import SettingsInvalid
    from contract.settings import load_settings

    given = load_settings().airtable_token
    token = given.get_secret_value() if given else secrets.token_urlsafe(24)

    def announce(url: str) -> None:
        typer.echo(f"RUNTALLY_AIRTABLE_URL={url}\nRUNTALLY_AIRTABLE_BASE_ID={FIRST_BASE_ID}")
        if given is None:
            typer.echo(f"RUNTALLY_AIRTABLE_TOKEN={token}")

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        serve(host, port, str(data_dir / "sandbox.sqlite3"), token, announce=announce)
    except OSError as error:
        raise SettingsInvalid(f"the sandbox cannot start: {error}") from error
