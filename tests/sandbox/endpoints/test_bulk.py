"""Preview's bulk jobs: accepted at once, told as a whole."""

from __future__ import annotations

import pytest

from ..api_calls import refusal


def run(api, method, path, body):
    """Send one bulk request; return what the finished job says."""
    answer = api.ask(method, path, body, version="Preview")
    assert (answer.status, answer.body["state"]) == (202, "running"), answer.body
    return api.get(f"/{path.split('/')[1]}/bulk/{answer.body['id']}", version="Preview").body


def test_bulk_needs_preview(api):
    """Every numbered API version answers that it has no bulk endpoints."""
    answer = api.post("/contacts/bulk", {"contacts": []})

    assert refusal(answer) == (
        400,
        "intercom_version_invalid",
        "Requested resource is not available in current API version.",
    )


def test_contacts_are_created_strictly(api):
    """A contact that exists already is not written, and the job says only that an item failed."""
    tag = api.tag()
    new = {
        "external_id": "u1",
        "companies": [{"company_id": "acme", "name": "Acme"}],
        "tags": {"add": [{"id": tag}, {"id": "999"}]},
        "zodiac": "ignored",
    }

    assert run(api, "POST", "/contacts/bulk", {"contacts": [new]})["state"] == "completed"
    again = run(api, "POST", "/contacts/bulk", {"contacts": [new, {"external_id": "u2"}]})

    assert again["state"] == "completed_with_errors"
    assert "errors" not in again
    [first, second] = api.workspace.contacts()
    assert (first["companies"]["total_count"], first["tags"]["total_count"]) == (1, 1)
    assert second["external_id"] == "u2"


def test_contacts_are_updated_by_intercoms_id(api):
    """An update by Intercom's id also attaches and detaches companies and adds and removes tags."""
    contact, tag = api.contact(external_id="u1"), api.tag()
    api.post(f"/contacts/{contact}/tags", {"id": tag})
    join = {
        "id": contact,
        "name": "Ann",
        "companies": [{"company_id": "acme"}],
        "tags": {"remove": [{"id": tag}]},
    }
    leave = {
        "id": contact,
        "companies": [{"company_id": "acme", "remove": True}, {"company_id": "x", "remove": True}],
    }

    assert run(api, "PUT", "/contacts/bulk", {"contacts": [join, join]})["state"] == "completed"
    shown = api.get(f"/contacts/{contact}").body
    assert (shown["name"], shown["companies"]["total_count"], shown["tags"]["total_count"]) == ("Ann", 1, 0)
    odd = {"id": contact, "companies": {}, "tags": {"add": "all", "swap": [{"id": tag}]}}
    assert run(api, "PUT", "/contacts/bulk", {"contacts": [leave, odd]})["state"] == "completed"
    assert api.get(f"/contacts/{contact}").body["companies"]["total_count"] == 0


def test_contacts_are_deleted(api):
    """Contacts are deleted permanently, and an unknown id makes the job end with errors."""
    contact = api.contact(external_id="u1")
    gone = {"contacts": [{"id": contact}]}

    assert run(api, "POST", "/contacts/bulk/delete", gone)["state"] == "completed"
    assert run(api, "POST", "/contacts/bulk/delete", gone)["state"] == "completed_with_errors"


def test_companies_are_written_in_bulk(api):
    """Companies are upserted by company_id, and updated and deleted by Intercom's id."""
    company = api.company("acme")

    made = run(
        api, "POST", "/companies/bulk", {"companies": [{"company_id": "acme", "name": "A"}, {"name": "x"}]}
    )
    changed = run(
        api, "PUT", "/companies/bulk", {"companies": [{"id": company, "company_id": "acme", "size": 5}]}
    )

    assert (made["state"], changed["state"]) == ("completed_with_errors", "completed")
    shown = api.get(f"/companies/{company}").body
    assert (shown["name"], shown["size"]) == ("A", 5)
    gone = run(api, "POST", "/companies/bulk/delete", {"companies": [{"id": company}]})
    assert gone["state"] == "completed"
    assert api.workspace.companies() == []


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("POST", {}, ("field_not_found", "contacts field must be supplied")),
        ("POST", {"contacts": {}}, ("type_mismatch", "contacts must be an array")),
        ("POST", {"contacts": [5]}, ("type_mismatch", "each contact must be an object")),
        ("PUT", {"contacts": [{"name": "x"}]}, ("field_not_found", "contacts must be identified by id")),
        (
            "POST",
            {"contacts": [{"external_id": "x"}] * 101},
            ("parameter_invalid", "maximum number of contacts per request is 100"),
        ),
    ],
)
def test_malformed_jobs_are_violations(api, method, body, expected):
    """A malformed job gets 422 with the documented code and text."""
    answer = api.ask(method, "/contacts/bulk", body, version="Preview")

    assert refusal(answer) == (422, *expected)
    assert api.rules() == ["bad_bulk"]


def test_an_unknown_job_is_404(api):
    """An unknown job gets 404 with a code of its own."""
    answer = api.get("/contacts/bulk/job_v2_9", version="Preview")

    assert refusal(answer)[:2] == (404, "job_not_found")
