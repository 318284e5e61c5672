"""The client that callers hold: takes calls, stamps and accepts messages, answers questions."""
