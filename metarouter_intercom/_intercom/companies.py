"""Companies, their tags, and contacts' belonging to them (rules M2, M3, I12, C); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .._types import CompanyId, Note
from ..errors import TransportError
from ..operations import UpsertCompany
from ..plugins import Request
from .contacts import make_bare_contact
from .context import HOPS, in_path, waits
from .field_repair import write
from .lookup import find_company, find_contact
from .payloads import company_body, tell_unheld
from .responses import (
    DELIVERED,
    FlowResult,
    canonical_id,
    classify,
    error_of,
    id_of,
    is_success,
    object_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._types import ContactId, JsonObject, JsonValue
    from ..operations import AttachCompany, DetachCompany, TagCompany, Who
    from ..plugins import Response
    from .context import Flow, Steps, World

_UNCHANGED = DELIVERED._replace(unchanged=True)
_COMPANY_MISSING = FlowResult("retry", "company_missing", 404)


def upsert_company(operation: UpsertCompany, world: World) -> Flow:
    """
    See that the company is there with these facts; nothing is sent when nothing changes (O3).

    Messages of many contacts write to one company. Their lanes are delivered side by side, so what a later accepted message has
    written is not overwritten by an earlier one.
    """
    with world.turn(f"company:{operation.company_id}"):
        return (yield from _upsert_company(operation, world))


def _upsert_company(operation: UpsertCompany, world: World) -> Flow:
    cache, settings = world.cache, world.settings
    own_id = operation.company_id
    body = company_body(operation)
    order = _order(world, own_id)
    _leave_out(body, cache.superseded(own_id, order))
    if order and len(body) == 1:
        # Everything it says was said again since, and the company is there.
        return _UNCHANGED
    wanted = {
        name: value
        for name, value in _facts(body).items()
        if not name.startswith("a:") or cache.takes("company", name[2:], value, world.now)
    }
    if cache.knows("company", own_id, wanted, now=world.now, within=settings.unchanged_for):
        cache.note_order(own_id, order)
        return _UNCHANGED
    notes: list[Note] = []
    tell_unheld(operation, notes)
    token = cache.begin_write("company", own_id, world.now)

    def send(body: JsonObject) -> Request:
        return Request("POST", "/companies", body)

    try:
        written = yield from write(send, body, "company", world, notes)
    except (TransportError, GeneratorExit):
        cache.fail_write(token)
        raise
    if isinstance(written, FlowResult):
        cache.fail_write(token)
        return written._replace(notes=tuple(notes))
    if is_success(written.response):
        cache.finish_write(token, _facts(written.body), world.now)
        cache.note_order(own_id, order)
        found = id_of(object_of(written.response))
        if found is not None:
            cache.remember_company(own_id, CompanyId(found))
        return DELIVERED._replace(notes=tuple(notes))
    cache.fail_write(token)
    outcome = classify(written.request, written.response)
    return outcome._replace(notes=tuple(notes))


def _order(world: World, own_id: str) -> dict[str, int]:
    """Return fact -> seq of the message that wants it; empty when there is no order."""
    order: dict[str, int] = {}
    for seq, part in world.parts:
        if isinstance(part, UpsertCompany) and part.company_id == own_id:
            order.update(dict.fromkeys(_facts(company_body(part)), seq))
    order.pop("company_id", None)
    return order


def _leave_out(body: JsonObject, names: Iterable[str]) -> None:
    left_out = frozenset(names)
    attributes = body.get("custom_attributes")
    kept = attributes.items() if isinstance(attributes, dict) else ()
    body["custom_attributes"] = {name: value for name, value in kept if f"a:{name}" not in left_out}
    for name in left_out:
        body.pop(name, None)
    if not body["custom_attributes"]:
        del body["custom_attributes"]


def _facts(body: JsonObject) -> dict[str, JsonValue]:
    attributes = body.get("custom_attributes")
    facts = {name: value for name, value in body.items() if name != "custom_attributes"}
    if isinstance(attributes, dict):
        facts.update({f"a:{name}": value for name, value in attributes.items()})
    return facts


def tag_company(operation: TagCompany, world: World) -> Flow:
    """See that the company carries the tag (C3)."""
    cache = world.cache
    fact: dict[str, JsonValue] = {f"t:{operation.name.lower()}": True}
    own_id = operation.company_id
    if cache.knows("company", own_id, fact, now=world.now, within=world.settings.unchanged_for):
        return _UNCHANGED
    body: JsonObject = {"name": operation.name, "companies": [{"company_id": own_id}]}
    request = Request("POST", "/tags", body)
    response = yield request
    if is_success(response):
        cache.add_facts("company", own_id, fact, world.now)
        return DELIVERED
    if response.status == 404:
        # It was written before, and somebody deleted it since: the next attempt writes it again.
        cache.forget_company(own_id)
        return _COMPANY_MISSING
    return classify(request, response)


def attach_company(operation: AttachCompany, world: World) -> Flow:
    """See that the contact belongs to the company (C4, I12); waits for a contact that is not there (M2)."""
    who: Who | None = operation.who
    gone = "contact"
    tried: set[tuple[str, str]] = set()
    while who is not None and len(tried) <= HOPS:
        contact_id = yield from _contact(who, world)
        if not isinstance(contact_id, str):
            return contact_id
        company_id = yield from find_company(operation.company_id, world)
        if isinstance(company_id, FlowResult):
            return company_id
        if company_id is None:
            return _company_missing(operation)
        if (contact_id, company_id) in tried:
            break
        tried.add((contact_id, company_id))
        if _is_linked(contact_id, company_id, True, world):
            return _UNCHANGED
        request = Request("POST", f"/contacts/{in_path(contact_id)}/companies", {"id": company_id})
        response = yield request
        if response.status not in (404, 410):
            return _linked(request, response, contact_id, company_id, world)
        gone, who = _learn_what_is_gone(response, who, contact_id, operation.company_id, world)
    return waits() if gone == "contact" else _company_missing(operation)


def detach_company(operation: DetachCompany, world: World) -> Flow:
    """See that the contact does not belong to the company; what is not there is a success with a note (I12)."""
    who: Who | None = operation.who
    tried: set[tuple[str, str]] = set()
    while who is not None and len(tried) <= HOPS:
        contact_id = yield from find_contact(who, world)
        if isinstance(contact_id, FlowResult):
            return contact_id
        company_id: CompanyId | FlowResult | None = None
        if contact_id is not None:
            company_id = yield from find_company(operation.company_id, world)
        if isinstance(company_id, FlowResult):
            return company_id
        if contact_id is None or company_id is None:
            break
        if (contact_id, company_id) in tried:
            # Both are there, so it is the link that is not.
            _remember_link(contact_id, company_id, False, world)
            break
        tried.add((contact_id, company_id))
        if _is_linked(contact_id, company_id, False, world):
            return _UNCHANGED
        request = Request("DELETE", f"/contacts/{in_path(contact_id)}/companies/{in_path(company_id)}")
        response = yield request
        if response.status not in (404, 410):
            return _linked(request, response, contact_id, company_id, world)
        _, who = _learn_what_is_gone(response, who, contact_id, operation.company_id, world)
    note = Note("I12", "company", "already detached, or unknown")
    return _UNCHANGED._replace(notes=(note,))


def _contact(who: Who, world: World) -> Steps[ContactId | FlowResult]:
    """Return the contact's id; waits for one that is not there, or makes it where the settings say so (M2)."""
    found = yield from find_contact(who, world)
    if found is not None:
        return found
    if not world.settings.create_missing_contacts:
        return waits()
    outcome = yield from make_bare_contact(who, world)
    if outcome.kind != "delivered":
        return outcome
    made = yield from find_contact(who, world)
    return waits() if made is None else made


def _company_missing(operation: AttachCompany) -> FlowResult:
    if operation.only_known:
        return _UNCHANGED._replace(notes=(Note("I12", "groupId", "unknown company"),))
    # It was written just before: another process may have deleted it, or the look-up lags.
    return _COMPANY_MISSING


def _is_linked(contact_id: str, company_id: str, expected: bool, world: World) -> bool:
    fact: dict[str, JsonValue] = {f"c:{company_id}": expected}
    within = world.settings.unchanged_for
    return world.cache.knows("contact", contact_id, fact, now=world.now, within=within)


def _linked(
    request: Request, response: Response, contact_id: str, company_id: str, world: World
) -> FlowResult:
    """Remember a link that was made or undone."""
    if not is_success(response):
        return classify(request, response)
    _remember_link(contact_id, company_id, request.method == "POST", world)
    return DELIVERED


def _remember_link(contact_id: str, company_id: str, is_linked: bool, world: World) -> None:
    world.cache.add_facts("contact", contact_id, {f"c:{company_id}": is_linked}, world.now)


def _learn_what_is_gone(
    response: Response, who: Who, contact_id: ContactId, own_company_id: str, world: World
) -> tuple[str, Who | None]:
    """Forget the id that a 404 or 410 proves wrong; return what is gone, and whom to go on with, if there is anybody."""
    cache = world.cache
    following = canonical_id(response) if response.status == 410 else None
    if response.status == 404 and _speaks_of_company(response):
        cache.forget_company(own_company_id)
        return "company", who
    cache.forget_contact(who.key, contact_id)
    if who.contact_id is None:
        if following is not None:
            cache.remember_contact(who.key, following)
        return "contact", who
    if following is not None:
        return "contact", attrs.evolve(who, contact_id=following)
    others = (who.external_id, who.email, who.anonymous_id)
    return "contact", None if others == (None, None, None) else attrs.evolve(who, contact_id=None)


def _speaks_of_company(response: Response) -> bool:
    return error_of(response)["code"] == "company_not_found" or "company" in text_of(response).lower()
