"""The tree of errors, and what each error carries."""

from __future__ import annotations

import pickle

import pytest

from metarouter_intercom import errors

_TREE = {
    "ConfigurationError": "MetarouterError",
    "RejectedMessage": "MetarouterError",
    "BufferFull": "MetarouterError",
    "ClientClosed": "MetarouterError",
    "SpoolFailed": "MetarouterError",
    "DeliveryFailed": "MetarouterError",
    "TransportError": "MetarouterError",
    "ConnectFailed": "TransportError",
    "ReadFailed": "TransportError",
}
_PROBLEMS = [
    errors.Problem("userId", "a boolean", "send a text"),
    errors.Problem("event", "missing", "name what happened"),
]


def test_the_tree_is_as_drawn():
    """Each error has one parent, and the drawing in the docstring names every one of them."""
    kinds = {
        name: getattr(errors, name) for name in errors.__all__ if name not in ("MetarouterError", "Problem")
    }

    assert {name: kind.__mro__[1].__name__ for name, kind in kinds.items()} == _TREE
    assert [name for name in kinds if f"── {name}" not in errors.__doc__] == []


@pytest.mark.parametrize("name", ["ConfigurationError", "RejectedMessage"])
def test_faults_of_the_caller_are_value_errors(name):
    """A host that catches ValueError around a call catches the faults of its own data and settings."""
    assert issubclass(getattr(errors, name), ValueError)


def test_a_rejection_names_every_fault():
    """The error lists all faults of a message, each with path, fault and remedy."""
    error = errors.RejectedMessage(_PROBLEMS, reason="invalid")

    assert str(error) == "userId: a boolean; send a text\nevent: missing; name what happened"
    assert (error.problems, error.reason) == (tuple(_PROBLEMS), "invalid")


@pytest.mark.parametrize(
    "error",
    [
        errors.RejectedMessage(_PROBLEMS, reason="too_large"),
        errors.DeliveryFailed("no", reason="http_400", status=400, code="c", request_id="r"),
        errors.ConnectFailed("down"),
        errors.ConfigurationError("api_key: missing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error):
    """multiprocessing and Celery pickle errors: type, text and attributes arrive unchanged."""
    arrived = pickle.loads(pickle.dumps(error))

    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))
