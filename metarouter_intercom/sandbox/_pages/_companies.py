"""What the pages tell of companies: the list, and one company with its people. Reads the workspace only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from metarouter_intercom._types import JsonValue

from .._workspace_state import Company
from ..workspace import Workspace
from ._paging import Page, paged
from ._people import PEOPLE_PER_PAGE, Fact, Link, PersonRow, company_link, custom_facts, person_row
from ._value_display import Shown, show_attribute

COMPANIES_PER_PAGE = 25
_MOST_OPTIONS = 200
_LABELS: Mapping[str, str] = {
    "plan": "Plan",
    "industry": "Industry",
    "size": "Size",
    "website": "Website",
    "monthly_spend": "Monthly spend",
    "remote_created_at": "Company created",
}


@attrs.frozen(kw_only=True)
class CompanyRow:
    """One line of the list of companies."""

    id: str
    name: str
    company_id: str
    people: int
    plan: Shown
    industry: Shown
    size: Shown
    monthly_spend: Shown
    created_at: int


@attrs.frozen(kw_only=True)
class CompanyView:
    """Everything the page of one company shows."""

    row: CompanyRow
    fields: Sequence[Fact]
    attributes: Sequence[Fact]
    tags: Sequence[str]
    notes: Sequence[tuple[str, str, int]]
    people: Page[PersonRow]


def list_companies(workspace: Workspace, words: str, number: int) -> Page[CompanyRow]:
    """Return a page of the companies whose name or ids hold all the words, the newest first."""
    wanted = words.lower().split()
    fitting = [
        company
        for company in reversed(workspace.state.companies.values())
        if not wanted or _has_words(company, wanted)
    ]
    return paged(fitting, number, COMPANIES_PER_PAGE).showing(company_row)


def _has_words(company: Company, words: Sequence[str]) -> bool:
    text = f"{company.fields.get('name', '')}\n{company.company_id}\n{company.id}".lower()
    return all(word in text for word in words)


def company_row(company: Company) -> CompanyRow:
    """Return the line of *company*."""
    fields = company.fields
    return CompanyRow(
        id=company.id,
        name=company_link(company).name,
        company_id=company.company_id,
        people=len(company.people),
        plan=show_attribute(fields.get("plan")),
        industry=show_attribute(fields.get("industry")),
        size=show_attribute(fields.get("size")),
        monthly_spend=show_attribute(fields.get("monthly_spend")),
        created_at=company.created_at,
    )


def company_view(workspace: Workspace, company: Company, number: int) -> CompanyView:
    """Return what the page of *company* shows, with page *number* of its people, those attached last first."""
    state = workspace.state
    page = paged([*reversed(company.people)], number, PEOPLE_PER_PAGE)
    admins = {admin.id: admin.name for admin in workspace.settings.admins}
    return CompanyView(
        row=company_row(company),
        fields=_fields(company),
        attributes=custom_facts(workspace, "company", company.custom),
        tags=[state.tags[one].name for one in company.tags],
        notes=[
            (note.body, admins.get(note.admin_id or "", "Unknown admin"), note.created_at)
            for note in reversed(company.notes)
        ],
        people=page.showing(lambda one: person_row(workspace, state.contacts[one])),
    )


def _fields(company: Company) -> list[Fact]:
    told: list[tuple[str, JsonValue, str | None]] = [
        ("Company ID", company.company_id, None),
        ("Intercom ID", company.id, None),
    ]
    for name, label in _LABELS.items():
        value = company.fields.get(name)
        if value is not None:
            told.append((label, value, "date" if name == "remote_created_at" else None))
    if company.last_request_at is not None:
        told.append(("Last seen", company.last_request_at, "date"))
    told += [("Created", company.created_at, "date"), ("Updated", company.updated_at, "date")]
    return [Fact(label, show_attribute(value, kind)) for label, value, kind in told]


def company_options(workspace: Workspace, chosen: str) -> list[Link]:
    """Return companies to filter people by, in the order of their names: the chosen one and the first made of the others."""
    companies = workspace.state.companies
    listed = dict(list(companies.items())[:_MOST_OPTIONS])
    if chosen in companies:
        listed[chosen] = companies[chosen]
    return sorted((company_link(one) for one in listed.values()), key=lambda link: link.name.lower())
