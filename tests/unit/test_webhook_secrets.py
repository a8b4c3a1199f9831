"""RUNTALLY_WEBHOOK_SECRETS: what may be one, and that nothing ever shows one."""

from __future__ import annotations

import json

import pytest

from contract.errors import SettingsInvalid
from contract.logs import redactor
from contract.settings import Settings, load_settings

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHARED = "a-shared-secret-0123"


def loaded(monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    monkeypatch.setenv("RUNTALLY_WEBHOOK_SECRETS", text)
    return load_settings(_env_file=None)


def test_they_are_read_from_json_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, json.dumps({"acme": [KEY, SHARED], "*": []}))

    assert [secret.get_secret_value() for secret in settings.webhook_secrets["acme"]] == [KEY, SHARED]
    hidden = redactor(settings)(None, "", {"event": f"{KEY} {KEY.removeprefix('whsec_')} {SHARED}"})
    assert hidden["event"] == "*** *** ***"
    for text in (KEY, SHARED):
        assert text not in repr(settings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"acme": ["too-short"]}', "secret 1 of 'acme': a shared secret has at least 16 characters, this one has 9"),
        ('{"acme": ["whsec_c2hvcnQ="]}', "a whsec_ secret has at least 24 bytes, this one has 5"),
        ('{"acme": ["whsec_%s"]}' % ("*" * 40), "what follows whsec_ is not base64"),
        ('{"acme": ["sécret-0123456789ab"]}', "printable ASCII"),
        ('{"acme": [" secret-0123456789ab"]}', "printable ASCII"),
        ('{"": ["secret-0123456789ab"]}', "the client ID is empty"),
        ('{"a": ["secret-0123456789ab"], "b": ["secret-0123456789ab"]}', "'a' and 'b' share a secret"),
        ('{"acme": "secret-0123456789ab"}', "valid tuple"),
        ('["secret-0123456789ab"]', "valid dictionary"),
        ("secret-0123456789ab", "not JSON"),
    ],
)
def test_what_is_none_is_refused_at_start_without_being_shown(monkeypatch: pytest.MonkeyPatch, text: str, reason: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        loaded(monkeypatch, text)

    assert reason in str(refused.value)
    assert "WEBHOOK_SECRETS" in str(refused.value).upper()
    for secret in ("too-short", "c2hvcnQ", "0123456789ab"):
        assert secret not in str(refused.value)


def test_unset_means_closed() -> None:
    assert load_settings(_env_file=None).webhook_secrets == {}
