"""One request in, one response or a missing answer out; the only user of requests and urllib3."""
