"""
A function that is frozen as soon as it has answered (AWS Lambda and its kin): deliver before the answer.

    python examples/lambda_handler.py
"""

from metarouter_intercom import Client

# Made once a process, outside the handler; nothing is opened before the first message.
client = Client.from_env(name="lambda", delivery="manual")


def handler(event: dict, _context: object) -> dict:
    """Send what happened and say how much is left: less than the function's own time-out is waited for."""
    client.identify(event["user"], {"email": event["email"]})
    client.track(event["user"], "File Uploaded", {"bytes": event["bytes"]})
    report = client.flush(timeout=5)
    # What is pending is tried again by the next call, if this process lives so long.
    return {"delivered": report.delivered, "pending": report.pending}


if __name__ == "__main__":
    print(handler({"user": "u-1", "email": "grace@example.com", "bytes": 12_345}, None))
