"""
For a function that is frozen after it has answered, such as on AWS Lambda: deliver before you answer.

    python examples/lambda_handler.py
"""

from metarouter_intercom import Client

# One client per process, so make it outside the handler. Nothing is opened before the first message.
client = Client.from_env(name="lambda", delivery="manual")


def handler(event: dict, _context: object) -> dict:
    """Deliver the messages of this event and return how many are left. The flush must be shorter than the function's own time-out."""
    client.identify(event["user"], {"email": event["email"]})
    client.track(event["user"], "File Uploaded", {"bytes": event["bytes"]})
    report = client.flush(timeout=5)
    # The next call in this process retries what is pending; if the process ends first, those messages are lost.
    return {"delivered": report.delivered, "pending": report.pending}


if __name__ == "__main__":
    print(handler({"user": "u-1", "email": "grace@example.com", "bytes": 12_345}, None))
