"""Which answers cannot be Intercom's (rule T6)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.foreign_answers import is_foreign
from metarouter_intercom.plugins import Response

_ERRORS = {"type": "error.list", "errors": [{"code": "not_found", "message": "User Not Found"}]}
_PAGE = "<html></html>"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410, 422, 423])
def test_a_list_of_errors_is_intercoms(status):
    """T6: Intercom sends a list of errors with every 4xx, also an empty one."""
    assert not is_foreign(Response(status, _ERRORS))
    assert not is_foreign(Response(status, {"errors": []}))


@pytest.mark.parametrize("status", [301, 302, 408, 425, 429, 500, 502, 503, 511])
@pytest.mark.parametrize("body", [None, _PAGE, {}])
def test_what_is_retried_anyway_needs_no_list(status, body):
    """T1: whoever sends these statuses, the request is sent again."""
    assert not is_foreign(Response(status, body))


@pytest.mark.parametrize("status", [200, 202, 401])
@pytest.mark.parametrize("body", [None, "", " \r\n", {}, {"status": "ok"}])
def test_a_success_or_401_is_foreign_only_with_a_page(status, body):
    """T6: a text where Intercom sends JSON comes from somebody else."""
    assert not is_foreign(Response(status, body))
    assert is_foreign(Response(status, _PAGE))
