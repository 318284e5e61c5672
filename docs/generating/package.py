"""
What the tables need of the package beyond its public names: the only module of the site that imports private ones.

When a private module moves, this list changes and nothing else.
"""

from __future__ import annotations

from metarouter_intercom._cli.commands import commands
from metarouter_intercom._cli.environment import VARIABLES
from metarouter_intercom._cli.exit_codes import MEANINGS
from metarouter_intercom._intercom.payloads import company_body, contact_body, event_body
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.messages._facts import PLAIN
from metarouter_intercom.operations._companies import _KNOWN as COMPANY_TRAITS
from metarouter_intercom.operations._contacts import _CONTEXT_FACTS as CONTEXT_FACTS
from metarouter_intercom.operations._contacts import _KNOWN as CONTACT_TRAITS
from metarouter_intercom.operations._events import _PAGE_FACTS as PAGE_FACTS
from metarouter_intercom.operations._metadata import _SPECIAL as EVENT_PROPERTIES
from metarouter_intercom.operations._translator import translate

__all__ = [
    "COMPANY_TRAITS",
    "CONTACT_TRAITS",
    "CONTEXT_FACTS",
    "EVENT_PROPERTIES",
    "MEANINGS",
    "PAGE_FACTS",
    "PLAIN",
    "VARIABLES",
    "commands",
    "company_body",
    "contact_body",
    "event_body",
    "read_message",
    "translate",
]
