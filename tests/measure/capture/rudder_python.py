"""Calls of ``rudder-sdk-python``, which puts traits into the context; the last argument is the address to send to."""

import sys

import rudderstack.analytics as analytics

analytics.write_key = "capture"
analytics.dataPlaneUrl = sys.argv[1]

analytics.identify(
    "u-dee",
    {
        "email": "dee@example.com",
        "name": "Dee Placeholder",
        "createdAt": "2024-02-29T23:59:59.999Z",
        "birthday": "1990-05-17",
        "score": 99.5,
    },
)
analytics.identify("u-dee", {"email": "dee@example.com", "company": {"name": "Namesake GmbH"}})
analytics.track(
    "u-dee", "Invoice Paid", {"total": 100, "revenue": "$1,025.00", "items": [{"sku": "a"}, {"sku": "b"}]}
)
analytics.group(
    "u-dee", "c-rudder", {"name": "Rudder Works", "employees": "50-100", "website": "https://example.org"}
)
analytics.page("u-dee", "Docs", "Home", {"path": "/"})
analytics.flush()
analytics.shutdown() if hasattr(analytics, "shutdown") else None
