"""Calls of ``segment-analytics-python`` as backends make them; the last argument is the address to send to."""

import sys
from datetime import datetime, timezone
from decimal import Decimal

import segment.analytics as analytics

analytics.write_key = "capture"
analytics.host = sys.argv[1]
analytics.gzip = True
ONLY_INTERCOM = {"All": False, "Intercom": {"user_hash": "0" * 64}}

analytics.identify(
    "u-ada",
    {
        "email": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Example",
        "phone": "+49 30 901820",
        "avatar": "https://example.com/ada.png",
        "createdAt": datetime(2025, 3, 1, 12, 30, tzinfo=timezone.utc),
        "plan": "pro",
        "seats": 12,
        "lifetimeValue": Decimal("1234.50"),
        "address": {"city": "Bremen", "country": "DE"},
        "tags": ["early", "beta"],
        "company": {"id": "c-shipping", "name": "Example Shipping", "plan": "pro", "employees": 40},
    },
)
analytics.identify(
    "u-bob",
    {
        "email": "bob@example.com",
        "name": "Bob Sample",
        "unsubscribedFromEmails": True,
        "companies": [{"id": "c-shipping", "name": "Example Shipping"}, {"id": "c-old", "name": "Old Mill"}],
    },
)
analytics.identify("u-bob", {"company": {"id": "c-old", "remove": True}})
analytics.identify("u-cy", {"email": "cy@example.com", "name": "Cy Test"}, integrations=ONLY_INTERCOM)
analytics.identify("u-ada", {"plan": "enterprise"}, integrations={"Intercom": False})
analytics.group(
    "u-ada", "c-shipping", {"name": "Example Shipping", "industry": "Logistics", "monthlySpend": "420.75"}
)
analytics.track(
    "u-ada", "Order Completed", {"orderId": "o-1", "revenue": 19.99, "currency": "eur", "coupon": "SPRING"}
)
analytics.track(
    "u-ada",
    "Report Shared",
    {"report": {"url": "https://example.com/r/1", "value": "Weekly report"}, "public": False},
)
analytics.track(
    "u-bob",
    "Trial Extended",
    {"days": 14, "reason": None, "until": datetime(2026, 12, 24, tzinfo=timezone.utc)},
)
analytics.page("u-ada", "Docs", "Pricing", {"url": "https://example.com/pricing"})
analytics.screen("u-ada", "App", "Home", {"variant": "b"})
analytics.alias("anon-7", "u-ada")
analytics.flush()
analytics.shutdown()
