"""Standard Webhooks signatures, against the package of that name as signer; headers of any kind never raise anything but a 401."""

from __future__ import annotations

import contextlib
import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.datastructures import Headers

from producers.gateway.problem import Problem
from producers.gateway.webhooks.signature import read_signature
from producers.gateway.webhooks.vault import Vault
from tests.server.gateway.signing import ACME, ACME_NEXT, EVERY, STRANGER, signed

VAULT = Vault({"acme": (SecretStr(ACME), SecretStr(ACME_NEXT)), "*": (SecretStr(EVERY),)})
BODY = b'{"email": "\xc3\xa4da@example.com"}'


def headers(**changed: str) -> Headers:
    return Headers(signed(BODY, ACME)["headers"] | {name.replace("_", "-"): value for name, value in changed.items()})


def refused(found: Headers) -> str:
    with pytest.raises(Problem) as problem:
        read_signature(found, time.time())
    assert problem.value.status == 401
    return problem.value.code


@pytest.mark.parametrize(
    ("secrets", "owner"),
    [((ACME,), "acme"), ((ACME_NEXT,), "acme"), ((EVERY,), "*"), ((STRANGER,), None), ((STRANGER, ACME_NEXT), "acme")],
)
def test_what_the_package_signs_is_known(secrets: tuple[str, ...], owner: str | None) -> None:
    claim = read_signature(Headers(signed(BODY, *secrets)["headers"]), time.time())
    assert VAULT.signer(claim, BODY) == owner
    assert VAULT.signer(claim, BODY.replace(b"da", b"ad")) is None


def test_a_secret_without_padding_is_the_same() -> None:
    vault = Vault({"acme": (SecretStr(ACME.rstrip("=")),)})
    assert vault.signer(read_signature(headers(), time.time()), BODY) == "acme"


@pytest.mark.parametrize("moved_s", [-299, 0, 299])
def test_five_minutes_either_way_are_taken(moved_s: float) -> None:
    assert read_signature(headers(), time.time() + moved_s).id == "msg_1"


@pytest.mark.parametrize("moved_s", [-302, 302, 86_400, -1e9])
def test_beyond_it_is_refused(moved_s: float) -> None:
    with pytest.raises(Problem) as problem:
        read_signature(headers(), time.time() + moved_s)
    assert problem.value.code == "signature-timestamp"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"webhook_id": ""}, "signature-incomplete"),
        ({"webhook_signature": ""}, "signature-incomplete"),
        ({"webhook_id": "\xe4"}, "signature-malformed"),
        ({"webhook_timestamp": "now"}, "signature-malformed"),
        ({"webhook_timestamp": "1e9"}, "signature-malformed"),
        ({"webhook_timestamp": "-1"}, "signature-malformed"),
        ({"webhook_timestamp": "\xb2"}, "signature-malformed"),
        ({"webhook_timestamp": "9" * 4_400}, "signature-malformed"),
        ({"webhook_signature": "v1"}, "signature-malformed"),
        ({"webhook_signature": "v1,"}, "signature-malformed"),
        ({"webhook_signature": "v1,YQ=="}, "signature-malformed"),
        ({"webhook_signature": "v1,%"}, "signature-malformed"),
        ({"webhook_signature": "v1,\xe4\xf6"}, "signature-malformed"),
        ({"webhook_signature": "v1,YQ"}, "signature-malformed"),
        ({"webhook_signature": "v1a,YQ=="}, "signature-malformed"),
        ({"webhook_signature": "v1,YQ== " * 30}, "signature-malformed"),
    ],
)
def test_malformed_headers(changed: dict[str, str], code: str) -> None:
    assert refused(headers(**changed)) == code


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_stands_there_once(name: str) -> None:
    raw = headers().raw
    assert refused(Headers(raw=[pair for pair in raw if pair[0] != name.encode()])) == "signature-incomplete"
    assert refused(Headers(raw=[*raw, (name.encode(), b"msg_1")])) == "signature-incomplete"


def test_other_versions_beside_ours_are_left_alone() -> None:
    claim = headers()["webhook-signature"]
    found = read_signature(headers(webhook_signature=f"v1a,!!! {claim} v2,x"), time.time())
    assert VAULT.signer(found, BODY) == "acme"


_TEXT = st.text(st.characters(max_codepoint=255), max_size=60)
_CLAIMS = st.binary(min_size=32, max_size=32).map(lambda digest: f"v1,{b64encode(digest).decode()}")


@given(message_id=_TEXT, timestamp=_TEXT | st.integers(999_999_700, 1_000_000_300).map(str), claims=_TEXT | _CLAIMS)
def test_no_headers_raise_anything_else_and_none_fits(message_id: str, timestamp: str, claims: str) -> None:
    found = Headers({"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": claims})
    owner = None
    with contextlib.suppress(Problem):
        owner = VAULT.signer(read_signature(found, 1e9), BODY)
    assert owner is None


def test_a_shared_secret_is_known_by_its_whole_text() -> None:
    vault = Vault({"acme": (SecretStr("acme-shared-0123456789"), SecretStr(ACME))})
    assert vault.holder("acme-shared-0123456789") == "acme"
    # What signs never travels, so it is no shared secret.
    for text in ("", "acme-shared-012345678", "acme-shared-0123456789 ", "ACME-SHARED-0123456789", "\udc80", ACME):
        assert vault.holder(text) is None
