"""Small helpers that fill and empty a buffer."""

from metarouter_intercom.plugins import Settlement


def put(buffer, name, keys=("user:a",), upserts=False, now=1.0, **fields):
    """Accept a message with the message id *name*."""
    message = {"type": "track", "messageId": name, "timestamp": now, **fields}
    return buffer.accept(message, keys=list(keys), upserts=upserts, now=now)


def names(claim):
    """Return the message ids of a claim; an empty list for none."""
    return [] if claim is None else [entry.message["messageId"] for entry in claim.entries]


def take(buffer, now=2.0, limit=100):
    """Claim at most *limit* messages of one lane."""
    return buffer.claim(now=now, limit=limit)


def settle(buffer, claim, kind="ack", now=2.0, **fields):
    """Settle every message of *claim* in the same way."""
    buffer.settle(claim, [Settlement(entry.seq, kind, **fields) for entry in claim.entries], now=now)


def drain(buffer, now=2.0, limit=100):
    """Claim and acknowledge everything that is due; return the message ids in the order of delivery."""
    delivered = []
    while (claim := buffer.claim(now=now, limit=limit)) is not None:
        delivered += names(claim)
        settle(buffer, claim, now=now)
    return delivered
