"""The standard fields of contacts and companies, as ``GET /data_attributes`` lists them. It knows no custom attribute."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject

_ROWS = (
    # model, name, label, data type, writable through the API
    ("contact", "name", "Name", "string", True),
    ("contact", "id", "ID", "string", False),
    ("contact", "role", "Role", "string", True),
    ("contact", "email", "Email", "string", True),
    ("contact", "phone", "Phone", "string", True),
    ("contact", "external_id", "User ID", "string", True),
    ("contact", "avatar", "Avatar", "string", True),
    ("contact", "owner_id", "Owner", "integer", True),
    ("contact", "signed_up_at", "Signed up", "date", True),
    ("contact", "last_seen_at", "Last seen", "date", True),
    ("contact", "created_at", "Created", "date", False),
    ("contact", "updated_at", "Updated", "date", False),
    ("contact", "unsubscribed_from_emails", "Unsubscribed from Emails", "boolean", True),
    ("contact", "language_override", "Language override", "string", True),
    ("company", "name", "Company name", "string", True),
    ("company", "company_id", "Company ID", "string", False),
    ("company", "last_request_at", "Company last seen", "date", False),
    ("company", "remote_created_at", "Company created at", "date", True),
    ("company", "user_count", "People", "integer", False),
    ("company", "session_count", "Company web sessions", "integer", False),
    ("company", "plan", "Plan", "string", True),
    ("company", "monthly_spend", "Monthly Spend", "float", True),
    ("company", "size", "Company size", "integer", True),
    ("company", "website", "Company website", "string", True),
    ("company", "industry", "Company industry", "string", True),
)

STANDARD_ATTRIBUTES: tuple[JsonObject, ...] = tuple(
    {
        "type": "data_attribute",
        "name": name,
        "full_name": name,
        "label": label,
        "data_type": data_type,
        "api_writable": writable,
        "ui_writable": False,
        "messenger_writable": writable,
        "custom": False,
        "archived": False,
        "model": model,
    }
    for model, name, label, data_type, writable in _ROWS
)
