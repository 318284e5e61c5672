"""
The messages of one day of an application, generated from a seed.

People make one to three visits a day, most of them in the morning and in the early afternoon. A visit is a series of pages, about twenty
seconds apart. Each page identifies the person, three in eight pages name the company (group), and each page tracks one or two events: of
a hundred messages, 40 are identifies, 15 groups and 45 tracks. Most identifies repeat all traits, three in ten send only some of them,
and one in thirty contains a change; so does one group in fifty.
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
    """A person, with traits that a page may change."""

    user_id: str
    company: int
    traits: dict[str, Any]


def messages_of_a_day(
    people: int = 2_000, companies: int = 200, *, pages: float = 15.0, seed: int = 3
) -> list[dict[str, Any]]:
    """
    Return the messages of a day in the order of their timestamps, in Segment's wire form.

    Args:
        people: Number of people.
        companies: Number of companies that they belong to.
        pages: Pages per visit, on average.
        seed: The same seed gives the same day.

    Returns:
        Messages whose ``timestamp`` is a number: the Unix time in seconds at which the message is sent.
    """
    rng = random.Random(seed)
    company_traits = [_company(number) for number in range(companies)]
    views: list[tuple[float, int]] = []
    persons = [_person(number, companies, rng) for number in range(people)]
    for number in range(people):
        for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0]):
            views += ((at, number) for at in _visit(pages, rng))
    views.sort()
    messages: list[dict[str, Any]] = []
    for at, number in views:
        messages += _page(persons[number], company_traits[persons[number].company], at=at, rng=rng)
    for index, message in enumerate(messages):
        message["messageId"] = f"day-{seed}-{index:06d}"
    messages.sort(key=lambda message: message["timestamp"])  # type: ignore[no-any-return]  # numbers
    return messages


def attributes() -> dict[str, dict[str, str]]:
    """Return the custom attributes of the day; a workspace in use has them already."""
    return {
        "contact": {"firstName": "string", "lastName": "string", "plan": "string", "title": "string"},
        "company": {"region": "string"},
    }


def _person(number: int, companies: int, rng: random.Random) -> Person:
    traits = {
        "email": f"person{number}@example.com",
        "firstName": "Ada",
        "lastName": f"Example {number}",
        "createdAt": MIDNIGHT - rng.randrange(1, 900) * 24 * 3600,
        "plan": "free",
        "title": "Analyst",
    }
    return Person(f"user-{number:05d}", number % companies, traits)


def _company(number: int) -> dict[str, Any]:
    return {"name": f"Example {number} Ltd", "plan": "free", "employees": 20, "region": "North"}


def _visit(pages: float, rng: random.Random) -> list[float]:
    """Return the times at which the pages of a visit are opened."""
    at = MIDNIGHT + rng.gauss(rng.choice((10.0, 14.5)), 1.5) * _HOUR
    opened = []
    for _ in range(1 + int(rng.expovariate(1 / (pages - 1)))):
        opened.append(at)
        at += rng.expovariate(1 / _SECONDS_A_PAGE)
    return opened


def _page(person: Person, company: dict[str, Any], *, at: float, rng: random.Random) -> list[dict[str, Any]]:
    chance = rng.random()
    if chance < 1 / 30:
        person.traits["title"] = f"Title {rng.randrange(50)}"
    traits = dict(person.traits)
    if chance > 0.7:
        traits = {name: traits[name] for name in ("email", "firstName", "lastName")}
    page: list[dict[str, Any]] = [{"type": "identify", "traits": traits}]
    if rng.random() < 0.375:
        if rng.random() < 1 / 50:
            company["employees"] = rng.randrange(5, 500)
        page.append({"type": "group", "groupId": f"company-{person.company:03d}", "traits": dict(company)})
    page += (_event(rng) for _ in range(1 + (rng.random() < 0.125)))
    for index, message in enumerate(page):
        message["userId"] = person.user_id
        message["timestamp"] = at + index / 10
    return page


def _event(rng: random.Random) -> dict[str, Any]:
    name = rng.choice(_EVENTS)
    return {"type": "track", "event": name, "properties": {"report": f"Report {rng.randrange(40)}"}}
