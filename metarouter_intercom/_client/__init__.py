"""The client that users make: takes calls, checks and stamps messages, puts them into the buffer."""
