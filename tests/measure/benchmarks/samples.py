"""Invented messages of the size and shape that common SDKs send; uses the standard library only, because peers' processes import it."""

from __future__ import annotations

import random
import uuid
from typing import Any

# A typical call of an application: six properties and a context with three keys.
EVENT = "Report Exported"
PROPERTIES: dict[str, Any] = {
    "report": "Quarterly overview",
    "format": "pdf",
    "pages": 12,
    "seconds": 3.25,
    "scheduled": False,
    "team": "Finance",
}
CONTEXT: dict[str, Any] = {
    "ip": "192.0.2.44",
    "locale": "de-DE",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}

_CITIES = ("Bremen", "Lyon", "Oslo", "Porto", "Graz")
_PLANS = ("free", "pro", "scale")


def user_id(number: int) -> str:
    """Return the user id of a person."""
    return f"user-{number:05d}"


def mixed(number: int) -> list[dict[str, Any]]:
    """
    Return *number* messages in Segment's wire form: half track, a third identify with nested address and company, the rest group.

    Each has the fields that ``segment-analytics-python`` adds to a call: ids, timestamp, library, the caller's context.
    """
    rng = random.Random(20)
    return [_message(index, rng) for index in range(number)]


def _message(number: int, rng: random.Random) -> dict[str, Any]:
    place = number % 6
    kind = "track" if place in (0, 2, 4) else "identify" if place in (1, 3) else "group"
    fields = {"track": _track, "identify": _identify, "group": _group}[kind](number, rng)
    return {
        "integrations": {},
        "anonymousId": None,
        "timestamp": f"2026-03-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:07.{number % 1000:03d}+00:00",
        "context": {**CONTEXT, "library": {"name": "analytics-python", "version": "2.4.0"}},
        "type": kind,
        "userId": user_id(number % 997),
        "messageId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        **fields,
    }


def _track(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "event": EVENT,
        "properties": {**PROPERTIES, "pages": rng.randrange(1, 90), "team": f"Team {number % 40}"},
    }


def _identify(number: int, rng: random.Random) -> dict[str, Any]:
    person = number % 997
    return {
        "traits": {
            "email": f"person{person}@example.com",
            "firstName": "Ada",
            "lastName": f"Example {person}",
            "phone": f"+49 30 90{person:04d}",
            "createdAt": f"2025-{1 + person % 12:02d}-11T08:30:00+00:00",
            "plan": rng.choice(_PLANS),
            "logins": rng.randrange(500),
            "newsletter": person % 3 == 0,
            "address": {
                "street": f"Long Street {person % 90}",
                "city": rng.choice(_CITIES),
                "postalCode": f"{10000 + person}",
                "country": "DE",
            },
            "company": {
                "id": f"company-{person % 61}",
                "name": f"Example {person % 61} Ltd",
                "plan": rng.choice(_PLANS),
                "employees": 5 + person % 400,
            },
        }
    }


def _group(number: int, rng: random.Random) -> dict[str, Any]:
    company = number % 61
    return {
        "groupId": f"company-{company}",
        "traits": {
            "name": f"Example {company} Ltd",
            "plan": rng.choice(_PLANS),
            "industry": "Logistics",
            "employees": 5 + company,
            "website": f"https://company{company}.example.com",
            "monthlySpend": 420.75,
            "region": "North",
            "trial": False,
        },
    }
