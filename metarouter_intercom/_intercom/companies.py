"""How companies are written and tagged, and contacts attached to and detached from them (rules C, I12, M2, M3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import CompanyId, Note
from ..operations import UpsertCompany
from ..plugins import Request
from .attribute_budget import can_create
from .attribute_creation import notes_of_unwritten
from .contacts import create_bare_contact
from .context import MAX_HOPS, path_segment
from .field_repair import write
from .known_contact import who_after_missing
from .lookup import find_company, find_contact
from .payloads import company_body, note_unstorable_times
from .response_parsing import error_of, error_text, id_of, is_success, object_of
from .responses import CONTACT_MISSING, DELIVERED, UNCHANGED, FlowResult, classify
from .write_records import membership_value, remove_values, tag_value, values_of

if TYPE_CHECKING:
    from .._types import ContactId, JsonObject
    from ..operations import AttachCompany, DetachCompany, TagCompany, Who
    from ..plugins import Response
    from .context import Flow, Steps, World

_COMPANY_MISSING = FlowResult("retry", "company_missing", 404)


# --- the company itself ---------------------------------------------------------------------------------------


def upsert_company(operation: UpsertCompany, world: World) -> Flow:
    """
    Make sure that the company exists with these values; nothing is sent when nothing would change (rule O3).

    The messages of many contacts write to one company, and the contacts are delivered side by side. So a message never overwrites
    what a message accepted later has written.
    """
    with world.lock_of(f"company:{operation.company_id}"):
        return (yield from _upsert_locked(operation, world))


def _upsert_locked(operation: UpsertCompany, world: World) -> Flow:
    cache, callers_id = world.cache, operation.company_id
    body = company_body(operation)
    order = _order(callers_id, world)
    remove_values(body, cache.superseded(callers_id, order))
    if order and len(body) == 1:
        # Later messages have written all of its values, so the company exists too.
        return UNCHANGED
    wanted = values_of(body)
    values = cache.effective(
        "company", wanted, world.now, can_create=lambda name: can_create(operation, name, world)
    )
    if _is_written(callers_id, values, world):
        cache.remember_order(callers_id, order)
        return UNCHANGED._replace(notes=notes_of_unwritten(operation, wanted, values, world))
    notes: list[Note] = []
    note_unstorable_times(operation, notes)
    result = yield from _post(callers_id, body, order, world=world, notes=notes)
    return result._replace(notes=tuple(notes))


def _post(
    callers_id: str, body: JsonObject, order: dict[str, int], *, world: World, notes: list[Note]
) -> Flow:
    def send(body: JsonObject) -> Request:
        return Request("POST", "/companies", body)

    cache = world.cache
    with cache.recorded_write("company", callers_id, world.now) as record:
        written = yield from write(send, body, model="company", world=world, notes=notes)
        if isinstance(written, FlowResult):
            return written
        if not is_success(written.response):
            return classify(written.request, written.response)
        record.values = values_of(written.body)
    cache.remember_order(callers_id, order)
    company_id = id_of(object_of(written.response))
    if company_id is not None:
        cache.remember_company(callers_id, CompanyId(company_id))
    return DELIVERED


def _order(callers_id: str, world: World) -> dict[str, int]:
    """Return name -> seq of the message that writes it to this company; empty when the messages have no common order."""
    order: dict[str, int] = {}
    for seq, operation, _ in world.parts:
        if seq > 0 and isinstance(operation, UpsertCompany) and operation.company_id == callers_id:
            order.update(dict.fromkeys(values_of(company_body(operation)), seq))
    order.pop("company_id", None)
    return order


def tag_company(operation: TagCompany, world: World) -> Flow:
    """Make sure that the company carries the tag (rule C3)."""
    callers_id = operation.company_id
    tagged = tag_value(operation.name)
    if _is_written(callers_id, tagged, world):
        return UNCHANGED
    body: JsonObject = {"name": operation.name, "companies": [{"company_id": callers_id}]}
    request = Request("POST", "/tags", body)
    response = yield request
    if is_success(response):
        world.cache.remember_written("company", callers_id, tagged, now=world.now)
        return DELIVERED
    if response.status == 404:
        # The message's own upsert came first, so somebody deleted the company since: the next attempt writes it again.
        world.cache.forget_company(callers_id)
        return _COMPANY_MISSING
    return classify(request, response)


def _is_written(callers_id: str, values: JsonObject, world: World) -> bool:
    within = world.settings.unchanged_for
    return world.cache.was_written("company", callers_id, values, now=world.now, within=within)


# --- contacts that belong to it -------------------------------------------------------------------------------


def attach_company(operation: AttachCompany, world: World) -> Flow:
    """Make sure that the contact belongs to the company (rules C4, I12); wait while there is no such contact (rule M2)."""
    who: Who | None = operation.who
    missing = "contact"
    tried: set[tuple[str, str]] = set()
    while who is not None and len(tried) <= MAX_HOPS:
        contact_id = yield from _find_or_create_contact(who, world)
        if isinstance(contact_id, FlowResult):
            return contact_id
        company_id = yield from find_company(operation.company_id, world)
        if isinstance(company_id, FlowResult):
            return company_id
        if company_id is None:
            return _company_missing(operation)
        if (contact_id, company_id) in tried:
            break
        tried.add((contact_id, company_id))
        if _is_known(contact_id, company_id, is_member=True, world=world):
            return UNCHANGED
        request = Request("POST", f"/contacts/{path_segment(contact_id)}/companies", {"id": company_id})
        response = yield request
        if response.status not in (404, 410):
            return _after_change(request, response, contact_id, company_id, world=world)
        missing, who = _after_missing(response, who, contact_id, operation.company_id, world=world)
    return CONTACT_MISSING if missing == "contact" else _company_missing(operation)


def detach_company(operation: DetachCompany, world: World) -> Flow:
    """Make sure that the contact does not belong to the company; a missing one is a success with a note (rule I12)."""
    who: Who | None = operation.who
    tried: set[tuple[str, str]] = set()
    while who is not None and len(tried) <= MAX_HOPS:
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
            # Intercom has both, so what it lacks is the membership.
            _remember_membership(contact_id, company_id, is_member=False, world=world)
            break
        tried.add((contact_id, company_id))
        if _is_known(contact_id, company_id, is_member=False, world=world):
            return UNCHANGED
        path = f"/contacts/{path_segment(contact_id)}/companies/{path_segment(company_id)}"
        request = Request("DELETE", path)
        response = yield request
        if response.status not in (404, 410):
            return _after_change(request, response, contact_id, company_id, world=world)
        _, who = _after_missing(response, who, contact_id, operation.company_id, world=world)
    return UNCHANGED._replace(notes=(Note("I12", operation.path, "already detached, or unknown"),))


def _find_or_create_contact(who: Who, world: World) -> Steps[ContactId | FlowResult]:
    """Return the contact's id, or the result of waiting for it; the settings may ask to create it (rule M2)."""
    contact_id = yield from find_contact(who, world)
    if contact_id is None and world.settings.create_missing_contacts:
        created = yield from create_bare_contact(who, world)
        if created.kind != "delivered":
            return created
        contact_id = yield from find_contact(who, world)
    return CONTACT_MISSING if contact_id is None else contact_id


def _company_missing(operation: AttachCompany) -> FlowResult:
    if operation.only_known:
        return UNCHANGED._replace(notes=(Note("I12", operation.path, "unknown company"),))
    # The message's own upsert came first: another process deleted the company, or the look-up does not show it yet.
    return _COMPANY_MISSING


def _is_known(contact_id: str, company_id: str, *, is_member: bool, world: World) -> bool:
    """Tell whether the last request of the contact for this company left it as wanted."""
    membership = membership_value(company_id, is_member)
    within = world.settings.unchanged_for
    return world.cache.was_written("contact", contact_id, membership, now=world.now, within=within)


def _after_change(
    request: Request, response: Response, contact_id: str, company_id: str, *, world: World
) -> FlowResult:
    """Remember what a request changed, when it succeeded, and return its result."""
    if not is_success(response):
        return classify(request, response)
    _remember_membership(contact_id, company_id, is_member=request.method == "POST", world=world)
    return DELIVERED


def _remember_membership(contact_id: str, company_id: str, *, is_member: bool, world: World) -> None:
    membership = membership_value(company_id, is_member)
    world.cache.remember_written("contact", contact_id, membership, now=world.now)


def _after_missing(
    response: Response, who: Who, contact_id: ContactId, callers_id: str, *, world: World
) -> tuple[str, Who | None]:
    """Forget the id that a 404 or 410 proves wrong; return what is missing, and whom to look up next, None for nobody."""
    if response.status == 404 and _is_about_company(response):
        world.cache.forget_company(callers_id)
        return "company", who
    return "contact", who_after_missing(response, who, contact_id, world)


def _is_about_company(response: Response) -> bool:
    return error_of(response)["code"] == "company_not_found" or "company" in error_text(response).lower()
