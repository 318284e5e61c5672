"""
Hooks: remove personal data, drop events that you do not want, and count the outcome of each message.

    python examples/hooks.py
"""

from collections import Counter

import attrs

from metarouter_intercom import Client
from metarouter_intercom.messages import Identify, Message, Track
from metarouter_intercom.plugins import Delivery, Drop

outcomes: Counter[str] = Counter()


def without_phone(message: Message) -> Message:
    """Remove the phone number. Runs in the caller's thread, before the message is stored anywhere."""
    if isinstance(message, Identify):
        traits = {name: value for name, value in message.traits.items() if name != "phone"}
        return attrs.evolve(message, traits=traits)
    return message


def without_health_checks(message: Message) -> Message | Drop:
    """Drop events that nobody needs. The report counts them under the reason."""
    if isinstance(message, Track) and message.event == "Health Check":
        return Drop("health_check")
    return message


def count(delivery: Delivery) -> None:
    """Count the outcome of each message, for example for your metrics. Runs in one of the library's threads."""
    outcomes[delivery.reason or delivery.outcome] += 1


if __name__ == "__main__":
    with Client.from_env(before=[without_phone, without_health_checks], after=[count]) as client:
        client.identify("u-1", {"name": "Grace Example", "phone": "+49 30 901820"})
        client.track("u-1", "Health Check")
        client.track("u-1", "Signed Up")
    print(dict(outcomes))
