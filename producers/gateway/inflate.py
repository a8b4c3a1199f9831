"""Bodies that were sent as gzip, with a bound on what comes out."""

from __future__ import annotations

import zlib

from producers.gateway.problem import Problem

_GZIP = 31


def inflated(body: bytes, most_bytes: int) -> bytes:
    """What a gzip holds. Raises Problem: 413 above `most_bytes`, of which no more than that is inflated, 422 for what is no gzip."""
    inflating = zlib.decompressobj(_GZIP)
    try:
        plain = inflating.decompress(body, most_bytes + 1)
    except zlib.error:
        raise Problem(422, "gzip-refused", "the body is no gzip: send it again, or plain") from None
    if len(plain) > most_bytes:
        raise Problem(413, "body-too-large", f"a body may have {most_bytes:,} bytes, also when it is inflated: split it")
    if not inflating.eof or inflating.unused_data:
        raise Problem(422, "gzip-refused", "the gzip ends too early, or something follows it: send it again, or plain")
    return plain
