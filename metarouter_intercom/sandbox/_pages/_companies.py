"""What the Companies page and the page of one company show. It reads the workspace and knows no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from metarouter_intercom._types import JsonValue

from .._workspace_state import Company
from ..workspace import Workspace
from ._paging import Page, make_page
from ._people import (
    PEOPLE_PER_PAGE,
    Link,
    NamedValue,
    PersonRow,
    company_link,
    custom_attributes,
    note_lines,
    person_row,
)
from ._value_display import DisplayValue, show_attribute

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
    """One row of the list of companies; ``people`` is their number."""

    id: str
    name: str
    company_id: str
    people: int
    plan: DisplayValue
    industry: DisplayValue
    size: DisplayValue
    monthly_spend: DisplayValue
    created_at: int


@attrs.frozen(kw_only=True)
class CompanyView:
    """Everything the page of one company shows."""

    row: CompanyRow
    fields: Sequence[NamedValue]
    attributes: Sequence[NamedValue]
    tags: Sequence[str]
    notes: Sequence[tuple[str, str, int]]
    people: Page[PersonRow]


def list_companies(workspace: Workspace, words: str, number: int) -> Page[CompanyRow]:
    """Return page *number* of the companies whose name or ids contain all *words*, the newest first."""
    search_words = words.lower().split()
    matching = [
        company
        for company in reversed(workspace.state.companies.values())
        if not search_words or _has_words(company, search_words)
    ]
    return make_page(matching, number, COMPANIES_PER_PAGE).map(company_row)


def _has_words(company: Company, words: Sequence[str]) -> bool:
    text = f"{company.fields.get('name', '')}\n{company.company_id}\n{company.id}".lower()
    return all(word in text for word in words)


def company_row(company: Company) -> CompanyRow:
    """Return the row of *company*."""
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
    """Return what the page of *company* shows, with page *number* of its people, the last attached first."""
    state = workspace.state
    page = make_page([*reversed(company.people)], number, PEOPLE_PER_PAGE)
    return CompanyView(
        row=company_row(company),
        fields=_fields(company),
        attributes=custom_attributes(workspace, "company", company.custom),
        tags=[state.tags[tag_id].name for tag_id in company.tags],
        notes=note_lines(workspace, company.notes),
        people=page.map(lambda contact_id: person_row(workspace, state.contacts[contact_id])),
    )


def _fields(company: Company) -> list[NamedValue]:
    fields: list[tuple[str, JsonValue, str | None]] = [
        ("Company ID", company.company_id, None),
        ("Intercom ID", company.id, None),
    ]
    for name, label in _LABELS.items():
        value = company.fields.get(name)
        if value is not None:
            fields.append((label, value, "date" if name == "remote_created_at" else None))
    if company.last_request_at is not None:
        fields.append(("Last seen", company.last_request_at, "date"))
    fields += [("Created", company.created_at, "date"), ("Updated", company.updated_at, "date")]
    return [NamedValue(label, show_attribute(value, kind)) for label, value, kind in fields]


def company_options(workspace: Workspace, selected: str) -> list[Link]:
    """Return the companies of the People page's filter, by name: the oldest 200, and the one whose id is *selected*."""
    companies = workspace.state.companies
    options = dict(list(companies.items())[:_MOST_OPTIONS])
    if selected in companies:
        options[selected] = companies[selected]
    return sorted((company_link(company) for company in options.values()), key=lambda link: link.name.lower())
