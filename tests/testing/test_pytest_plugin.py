"""The pytest plugin: what its fixtures provide, when they fail a test, and that loading it imports nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from metarouter_intercom import testing  # noqa: F401  # without it, each inner run would import all of it again

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester):
    """Run a test module with a conftest and the installed plugin."""

    def _run(tests, conftest=""):
        pytester.makeconftest(conftest)
        pytester.makepyfile(tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider")

    return _run


def test_client_and_sandbox_belong_together(run):
    """A call is delivered to the sandbox when it returns, and the next test starts with an empty sandbox."""
    result = run(
        """
        def test_sign_up(intercom_client, intercom_sandbox):
            intercom_client.identify("u-1", {"email": "grace@example.com"})
            intercom_client.track("u-1", "Signed Up")

            assert intercom_sandbox.contact("u-1").email == "grace@example.com"
            assert [event.name for event in intercom_sandbox.events("u-1")] == ["Signed Up"]

        def test_next(intercom_sandbox):
            assert intercom_sandbox.contacts() == []
        """
    )

    result.assert_outcomes(passed=2)


def test_settings_come_from_a_fixture_of_the_user(run):
    """A fixture `intercom_settings` in a conftest, or a parameter of one test, sets the client's settings."""
    result = run(
        """
        import pytest

        def test_conftest(intercom_client):
            assert intercom_client.settings.page_events == "Viewed {name} Page"

        @pytest.mark.parametrize("intercom_settings", [{"delivery": "manual"}])
        def test_parameter(intercom_client, intercom_sandbox):
            intercom_client.identify("u-1")
            assert intercom_sandbox.contacts() == []
            assert intercom_client.flush().delivered == 1
        """,
        """
        import pytest

        @pytest.fixture
        def intercom_settings():
            return {"page_events": "Viewed {name} Page"}
        """,
    )

    result.assert_outcomes(passed=2)


def test_the_sandbox_can_be_replaced(run):
    """The client delivers to the user's own fixture `intercom_sandbox` if there is one."""
    result = run(
        """
        def test_known_attribute(intercom_client, intercom_sandbox):
            intercom_client.identify("u-1", {"plan": "pro"})
            assert not [one for one in intercom_sandbox.requests if one.path == "/data_attributes"]
        """,
        """
        import pytest
        from metarouter_intercom.sandbox import Workspace

        @pytest.fixture
        def intercom_sandbox(intercom_clock):
            return Workspace(now=intercom_clock.now, attributes={"contact": {"plan": "string"}})
        """,
    )

    result.assert_outcomes(passed=1)


def test_time_moves_by_the_clock(run):
    """`intercom_clock` is the clock of client and sandbox."""
    result = run(
        """
        def test_later(intercom_client, intercom_sandbox, intercom_clock):
            intercom_client.identify("u-1")
            intercom_client.track("u-1", "Clicked")
            intercom_clock.advance(60)
            intercom_client.track("u-1", "Clicked")

            first, second = intercom_sandbox.events("u-1")
            assert second.created_at - first.created_at == 60
        """
    )

    result.assert_outcomes(passed=1)


_SWALLOWING = """
    from contextlib import suppress

    def test_app(intercom_client):
        with suppress(Exception):
            intercom_client.track("u-nobody", "Signed Up")
        {more}
"""


def test_swallowed_failures_fail_the_test_at_its_end(run):
    """A dead letter fails the test even if the app caught the error; the failure shows the reason and the remedy."""
    result = run(_SWALLOWING.format(more=""))

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "messages did not reach Intercom:",
            "  track Signed Up u-nobody: contact_missing (404 not_found User Not Found)",
            "a test that expects this says so with client.dead_letters.discard()",
        ]
    )


def test_expected_failures_are_discarded(run):
    """A test that discards the dead letters passes."""
    result = run(_SWALLOWING.format(more="assert intercom_client.dead_letters.discard() == 1"))

    result.assert_outcomes(passed=1)


def test_a_failed_test_fails_once(run):
    """A test that has failed already does not fail a second time because of its dead letters."""
    result = run(_SWALLOWING.format(more="raise AssertionError"))

    result.assert_outcomes(failed=1)


def test_a_closed_client_is_no_error(run):
    """An application may close the client that a test passes to it."""
    result = run(
        """
        def test_app(intercom_client):
            intercom_client.identify("u-1")
            intercom_client.close()
        """
    )

    result.assert_outcomes(passed=1)


def test_fixtures_are_documented(pytester):
    """`pytest --fixtures` describes each fixture in a sentence."""
    result = pytester.runpytest_inprocess("--fixtures", "-p", "no:cacheprovider")

    listing = result.stdout.str()
    for name in ("intercom_client", "intercom_sandbox", "intercom_clock", "intercom_settings"):
        assert f"\n{name} -- " in listing
    assert (
        "no docstring available"
        not in listing.partition("intercom_clock")[2].partition("fixtures defined")[0]
    )


def test_loading_the_plugin_loads_nothing_of_the_package():
    """Loading the plugin imports nothing else of the package, because pytest loads it in every project."""
    script = (
        "import pytest, sys\n"
        "before = set(sys.modules)\n"
        "import metarouter_intercom.testing._pytest_plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split("'")[1::2] == [
        "metarouter_intercom",
        "metarouter_intercom.testing",
        "metarouter_intercom.testing._pytest_plugin",
    ]


def test_the_kit_needs_no_extra():
    """The fixtures and the kit work without Flask, click, tqdm and joserfc."""
    script = (
        "import sys\n"
        "for name in ('flask', 'click', 'tqdm', 'joserfc'):\n"
        "    sys.modules[name] = None\n"
        "from metarouter_intercom import testing\n"
        "with testing.intercom() as (client, workspace, clock):\n"
        "    client.identify('u-1', {'plan': 'pro'})\n"
        "print(len(workspace.contacts()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "1"
