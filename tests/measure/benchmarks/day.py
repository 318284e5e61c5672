"""
A day of an application's messages, drawn from a seed.

People come to the application on one to three visits a day, most of them in the morning and after noon. A visit is a row of pages,
some twenty seconds apart. Each page says who is there (identify), three in eight say for which company (group), and something is done
on each page, sometimes twice (track): 40, 15 and 45 of a hundred messages. Most identifies repeat all traits as they were, three in
ten send a few of them, one in thirty brings a change; so does one group in fifty.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

# 2026-03-03T00:00:00Z, a Tuesday.
MIDNIGHT = 1_772_496_000.0
_HOUR = 3600.0
_SECONDS_A_PAGE = 20.0
_EVENTS = ("Report Opened", "Report Exported", "Filter Changed", "Comment Added", "Dashboard Shared")


class Person(NamedTuple):
    """Somebody, with the traits that a page may change."""

    user_id: str
    company: int
    traits: dict[str, Any]


def messages_of_a_day(
    people: int = 2_000, companies: int = 200, *, pages: float = 15.0, seed: int = 3
) -> list[dict[str, Any]]:
    """
    Return the messages of *people* in the order in which they happen, in Segment's wire form.

    Args:
        people: Who come.
        companies: That they are of.
        pages: Of a visit, on average.
        seed: The same seed gives the same day.

    Returns:
        Messages whose ``timestamp`` is a number: the Unix second, with fractions, at which each is sent.
    """
    draw = random.Random(seed)
    kept = [_company(number) for number in range(companies)]
    bursts: list[tuple[float, int]] = []
    crowd = [_person(number, companies, draw) for number in range(people)]
    for number in range(people):
        for _ in range(draw.choices((1, 2, 3), (6, 3, 1))[0]):
            bursts += ((at, number) for at in _visit(pages, draw))
    bursts.sort()
    messages: list[dict[str, Any]] = []
    for at, number in bursts:
        messages += _page(crowd[number], kept[crowd[number].company], at, draw)
    for at, message in enumerate(messages):
        message["messageId"] = f"day-{seed}-{at:06d}"
    messages.sort(key=lambda message: message["timestamp"])  # type: ignore[no-any-return]  # numbers
    return messages


def attributes() -> dict[str, dict[str, str]]:
    """Return the custom attributes that the day needs: a workspace in use has them."""
    return {
        "contact": {"firstName": "string", "lastName": "string", "plan": "string", "title": "string"},
        "company": {"region": "string"},
    }


def _person(number: int, companies: int, draw: random.Random) -> Person:
    traits = {
        "email": f"person{number}@example.com",
        "firstName": "Ada",
        "lastName": f"Example {number}",
        "createdAt": MIDNIGHT - draw.randrange(1, 900) * 24 * 3600,
        "plan": "free",
        "title": "Analyst",
    }
    return Person(f"user-{number:05d}", number % companies, traits)


def _company(number: int) -> dict[str, Any]:
    return {"name": f"Example {number} Ltd", "plan": "free", "employees": 20, "region": "North"}


def _visit(pages: float, draw: random.Random) -> list[float]:
    """Return when the pages of a visit are opened."""
    at = MIDNIGHT + draw.gauss(draw.choice((10.0, 14.5)), 1.5) * _HOUR
    opened = []
    for _ in range(1 + int(draw.expovariate(1 / (pages - 1)))):
        opened.append(at)
        at += draw.expovariate(1 / _SECONDS_A_PAGE)
    return opened


def _page(person: Person, company: dict[str, Any], at: float, draw: random.Random) -> list[dict[str, Any]]:
    lot = draw.random()
    if lot < 1 / 30:
        person.traits["title"] = f"Title {draw.randrange(50)}"
    traits = dict(person.traits)
    if lot > 0.7:
        traits = {name: traits[name] for name in ("email", "firstName", "lastName")}
    burst: list[dict[str, Any]] = [{"type": "identify", "traits": traits}]
    if draw.random() < 0.375:
        if draw.random() < 1 / 50:
            company["employees"] = draw.randrange(5, 500)
        burst.append({"type": "group", "groupId": f"company-{person.company:03d}", "traits": dict(company)})
    burst += (_event(draw) for _ in range(1 + (draw.random() < 0.125)))
    for place, message in enumerate(burst):
        message["userId"] = person.user_id
        message["timestamp"] = at + place / 10
    return burst


def _event(draw: random.Random) -> dict[str, Any]:
    name = draw.choice(_EVENTS)
    return {"type": "track", "event": name, "properties": {"report": f"Report {draw.randrange(40)}"}}
