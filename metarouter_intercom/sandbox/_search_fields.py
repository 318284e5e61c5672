"""What a search reads from a contact, field by field, as Intercom's index knows it. Pure; it knows no filter or page."""

from __future__ import annotations

from collections.abc import Callable

from metarouter_intercom._types import JsonValue

from ._errors import ApiError, malformed
from ._request import ApiRequest
from ._workspace_state import Contact

DATE_FIELDS = frozenset({"created_at", "updated_at", "signed_up_at", "last_seen_at"})
LIST_FIELDS = frozenset({"tag_id", "company_id"})
# Fields that a contact's record has as attributes.
_RECORD_FIELDS = frozenset({"id", "role", "external_id", "email", "created_at", "updated_at"})
_OTHER_FIELDS = frozenset(
    {
        "id",
        "role",
        "external_id",
        "email",
        "email_domain",
        "name",
        "phone",
        "avatar",
        "owner_id",
        "unsubscribed_from_emails",
        "has_hard_bounced",
        "marked_email_as_spam",
        "language_override",
    }
)
_DEVICE_PARTS = ("app_name", "app_version", "device", "os_version", "sdk_version", "last_seen_at")
# Fields that the API can search and the sandbox never sets.
_UNSET_FIELDS = frozenset(
    {
        "segment_id",
        "last_contacted_at",
        "last_replied_at",
        "last_email_opened_at",
        "last_email_clicked_at",
        "browser",
        "browser_version",
        "browser_language",
        "os",
        "location.country",
        "location.region",
        "location.city",
        *(f"{device}_{part}" for device in ("android", "ios") for part in _DEVICE_PARTS),
    }
)

FieldReader = Callable[[Contact], JsonValue]


def make_reader(request: ApiRequest, field: str) -> FieldReader:
    """
    Return a function that reads *field* from a contact.

    Raises:
        ApiError: The API cannot search this field, or there is no such custom attribute.
    """
    if field in _UNSET_FIELDS:
        return lambda contact: None
    custom = field.removeprefix("custom_attributes.")
    if custom != field:
        if ("contact", custom) not in request.state.attributes:
            text = f"Custom attribute '{custom}' does not exist"
            raise ApiError(400, "parameter_invalid", text, rule="unknown_attribute")
        return lambda contact: contact.custom.get(custom)
    if field not in _OTHER_FIELDS and field not in DATE_FIELDS and field not in LIST_FIELDS:
        raise malformed(f"'{field}' cannot be searched", rule="bad_search_field", field="field")
    return lambda contact: _read_field(contact, field)


def is_date(request: ApiRequest, field: str) -> bool:
    """Whether *field* is a date: a standard one or a custom attribute."""
    if field in DATE_FIELDS:
        return True
    name = field.removeprefix("custom_attributes.")
    attribute = request.state.attributes.get(("contact", name))
    return name != field and attribute is not None and attribute.data_type == "date"


def _read_field(contact: Contact, field: str) -> JsonValue:
    if field == "tag_id":
        return list(contact.tags)
    if field == "company_id":
        return list(contact.companies)
    if field in _RECORD_FIELDS:
        value: JsonValue = getattr(contact, field)
        return value
    if field == "email_domain":
        return (contact.email or "").rpartition("@")[2] or None
    if field in ("has_hard_bounced", "marked_email_as_spam"):
        return False
    if field == "unsubscribed_from_emails":
        return contact.fields.get(field, False)
    return contact.fields.get(field)
