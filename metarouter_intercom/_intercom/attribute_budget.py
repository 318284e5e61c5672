"""How many custom attributes a client may still create, and which ones first (rule A7); pure, sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..operations import UpsertCompany, UpsertContact
from ..operations._values import FLATTENED, SCALAR, TEXT, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .._types import JsonObject, JsonValue
    from ..settings import Settings
    from .context import World
    from .workspace_cache import WorkspaceCache

# Active custom attributes of people and companies together (contract, section 6).
WORKSPACE_LIMIT = 250
ATTRIBUTES = "attributes"
"""The name under which the workspace cache remembers that Intercom creates no attribute at all for now."""


class AttributeCount(NamedTuple):
    """
    How many custom attributes the workspace has, as Intercom's last list and this client's own creations say.

    Attributes:
        used: Custom attributes of contacts and companies, without archived ones.
        limit: The most that Intercom allows.
        left: How many more this client may create.
    """

    used: int
    limit: int
    left: int


class Carrier(NamedTuple):
    """
    One message whose upsert is part of a write.

    Attributes:
        message_id: None when the write is about no message.
        attributes: Those of its upsert.
        rank_of: Custom attribute -> rank of its origin.
        later: Model and name of the plain attributes that the message writes after this, to its companies.
    """

    message_id: str | None
    attributes: Mapping[str, JsonValue]
    rank_of: Callable[[str], int]
    later: Sequence[tuple[str, str]] = ()


def count_of(cache: WorkspaceCache, settings: Settings, now: float) -> AttributeCount | None:
    """Return the numbers for ``health()``; None as long as nobody asked Intercom for the list."""
    used = cache.attribute_count()
    if used is None:
        return None
    is_open = settings.unknown_attributes == "create" and not cache.is_refused(ATTRIBUTES, "", now)
    return AttributeCount(used, WORKSPACE_LIMIT, max(0, settings.attribute_budget - used) if is_open else 0)


def has_room(rank: int, world: World) -> bool:
    """Tell whether one more attribute may be created for an origin of this *rank*."""
    budget = world.settings.attribute_budget
    used = world.cache.attribute_count()
    # Intercom does not list the attributes to everybody. Then only the limit of a single message holds.
    return used is None or used < (budget // 2 if rank == FLATTENED else budget)


def can_create(upsert: UpsertContact | UpsertCompany, name: str, world: World) -> bool:
    """Tell whether a write of *upsert* might create its attribute *name*, which the workspace does not have."""
    if world.settings.unknown_attributes != "create":
        return True
    if world.cache.is_refused(ATTRIBUTES, "", world.now):
        return False
    return has_room(origin_of(upsert, name).rank, world)


def carriers_of(model: str, body: JsonObject, world: World) -> list[Carrier]:
    """Return the messages whose upserts are written as *body*, in their order; one without a message for what none of them has."""
    kind = UpsertContact if model == "contact" else UpsertCompany
    carriers = [
        Carrier(part.message_id, part.operation.attributes, _rank_of(part.operation), _later(at, world))
        for at, part in enumerate(world.parts)
        if isinstance(part.operation, kind)
        and getattr(part.operation, "company_id", None) == body.get("company_id")
    ]
    attributes = body.get("custom_attributes")
    if isinstance(attributes, dict):
        foreign = {
            name: value
            for name, value in attributes.items()
            if not any(name in carrier.attributes for carrier in carriers)
        }
        if foreign:
            carriers.append(Carrier(None, foreign, lambda name: SCALAR))
    return carriers


def _later(at: int, world: World) -> list[tuple[str, str]]:
    """Return the plain attributes of the companies that the message of the part number *at* names after that part."""
    message_id = world.parts[at].message_id
    return [
        ("company", name)
        for part in world.parts[at + 1 :]
        if part.message_id == message_id and isinstance(part.operation, UpsertCompany)
        for name, value in part.operation.attributes.items()
        if value is not None and origin_of(part.operation, name).rank == SCALAR
    ]


def _rank_of(upsert: UpsertContact | UpsertCompany) -> Callable[[str], int]:
    return lambda name: origin_of(upsert, name).rank


def in_order(
    missing: Iterable[str],
    carriers: Iterable[Carrier],
    allowance_of: Callable[[str | None], int],
    *,
    is_known: Callable[[str, str], bool] = lambda model, name: False,
) -> dict[str, Carrier]:
    """
    Return the attributes to create with the message that each one is counted for, the most important ones first.

    Args:
        missing: What the workspace does not have.
        carriers: The messages of the write.
        allowance_of: Message id -> how many more attributes that message may create.
        is_known: Model, name -> whether the workspace has that attribute.
    """
    names, messages = list(missing), list(carriers)
    left = [allowance_of(carrier.message_id) for carrier in messages]
    chosen: dict[str, Carrier] = {}
    for rank in (SCALAR, TEXT, FLATTENED):
        for at, carrier in enumerate(messages):
            if rank == TEXT:
                # The plain attributes of the message's companies come before what is nested here.
                left[at] -= len({place for place in carrier.later if not is_known(*place)})
            for name in names:
                if left[at] <= 0:
                    break
                has_value = carrier.attributes.get(name) is not None
                if has_value and name not in chosen and carrier.rank_of(name) == rank:
                    chosen[name] = carrier
                    left[at] -= 1
    return chosen
