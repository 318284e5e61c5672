"""The standard fields of contacts and companies, as ``GET /data_attributes`` lists them. It knows no custom attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from metarouter_intercom._types import JsonObject

from ._request import Version


class StandardAttribute(NamedTuple):
    """
    A field that every contact or company has.

    Attributes:
        model: ``contact`` or ``company``.
        path: Its place in the record, such as ``location.city``.
        label: What teammates read.
        data_type: As Intercom names it.
        api_writable: Whether the API can write it.
        ui_writable: Whether teammates can write it.
    """

    model: str
    path: str
    label: str
    data_type: str = "string"
    api_writable: bool = False
    ui_writable: bool = False


# Since this version the times of contacts are listed with a data type of their own.
_DATETIME_SINCE: Version = (2, 17)

# The contact's attributes and their order are those of a recording of the real API (2021), the company's those of the published example.
VISIBLE_ATTRIBUTES = (
    StandardAttribute("contact", "role", "Contact role", api_writable=True),
    StandardAttribute("contact", "name", "Name", api_writable=True, ui_writable=True),
    StandardAttribute("contact", "owner_id", "Owner", "integer", api_writable=True),
    StandardAttribute("contact", "email", "Email", api_writable=True, ui_writable=True),
    StandardAttribute("contact", "phone", "Phone", api_writable=True, ui_writable=True),
    StandardAttribute("contact", "external_id", "User ID", api_writable=True),
    StandardAttribute("contact", "created_at", "First Seen", "date"),
    StandardAttribute("contact", "signed_up_at", "Signed up", "date", api_writable=True),
    StandardAttribute("contact", "last_seen_at", "Last seen", "date", api_writable=True),
    StandardAttribute("contact", "last_contacted_at", "Last contacted", "date"),
    StandardAttribute("contact", "last_replied_at", "Last heard from", "date"),
    StandardAttribute("contact", "last_email_opened_at", "Last opened email", "date"),
    StandardAttribute("contact", "last_email_clicked_at", "Last clicked on link in email", "date"),
    StandardAttribute("contact", "location.country", "Country"),
    StandardAttribute("contact", "location.region", "Region"),
    StandardAttribute("contact", "location.city", "City"),
    StandardAttribute("contact", "browser_language", "Browser Language"),
    StandardAttribute("contact", "language_override", "Language Override"),
    StandardAttribute("contact", "browser", "Browser"),
    StandardAttribute("contact", "browser_version", "Browser Version"),
    StandardAttribute("contact", "os", "OS"),
    StandardAttribute(
        "contact", "unsubscribed_from_emails", "Unsubscribed from Emails", "boolean", api_writable=True
    ),
    StandardAttribute("contact", "marked_email_as_spam", "Marked email as spam", "boolean"),
    StandardAttribute("contact", "has_hard_bounced", "Has hard bounced", "boolean"),
    StandardAttribute("company", "name", "Company name", api_writable=True),
    StandardAttribute("company", "company_id", "Company ID"),
    StandardAttribute("company", "last_request_at", "Company last seen", "date"),
    StandardAttribute("company", "remote_created_at", "Company created at", "date", api_writable=True),
    StandardAttribute("company", "user_count", "People", "integer"),
    StandardAttribute("company", "session_count", "Company web sessions", "integer"),
    StandardAttribute("company", "plan.name", "Plan"),
    StandardAttribute("company", "monthly_spend", "Monthly Spend", "float", api_writable=True),
    StandardAttribute("company", "size", "Company size", "integer", api_writable=True),
    StandardAttribute("company", "industry", "Company industry", api_writable=True),
    StandardAttribute("company", "website", "Company website", api_writable=True),
)
"""What teammates see. Intercom lists it before the custom attributes."""
INTERNAL_ATTRIBUTES = (
    StandardAttribute("contact", "id", "ID"),
    StandardAttribute("contact", "avatar", "Avatar image url", api_writable=True),
    StandardAttribute("contact", "updated_at", "Updated at", "date"),
    StandardAttribute("contact", "workspace_id", "Workspace ID"),
    StandardAttribute("contact", "android_app_name", "Android App name"),
    StandardAttribute("contact", "android_sdk_version", "Android SDK version"),
    StandardAttribute("contact", "ios_app_name", "iOS App name"),
    StandardAttribute("contact", "ios_sdk_version", "iOS SDK version"),
    StandardAttribute("company", "id", "ID"),
    StandardAttribute("company", "created_at", "Created at", "date"),
    StandardAttribute("company", "updated_at", "Updated at", "date"),
    StandardAttribute("company", "plan.id", "Plan ID"),
    StandardAttribute("company", "app_id", "App ID"),
)
"""What only the API shows. Intercom lists it after the custom attributes."""
STANDARD_NAMES: Mapping[str, frozenset[str]] = {
    model: frozenset(
        attribute.path
        for attribute in (*VISIBLE_ATTRIBUTES, *INTERNAL_ATTRIBUTES)
        if attribute.model == model
    )
    for model in ("contact", "company")
}
"""Names that no custom attribute can have, by model; in lower case."""


def view_standard_attribute(attribute: StandardAttribute, *, version: Version) -> JsonObject:
    """Return the attribute as the API shows it; Intercom's also have a description."""
    is_time = attribute.model == "contact" and attribute.data_type == "date"
    return {
        "type": "data_attribute",
        "name": attribute.path.rpartition(".")[2],
        "full_name": attribute.path,
        "label": attribute.label,
        "data_type": "datetime" if is_time and version >= _DATETIME_SINCE else attribute.data_type,
        "api_writable": attribute.api_writable,
        "ui_writable": attribute.ui_writable,
        "messenger_writable": True,
        "custom": False,
        "archived": False,
        "model": attribute.model,
    }
