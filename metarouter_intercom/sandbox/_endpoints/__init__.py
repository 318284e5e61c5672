"""The endpoints of the API, one module for each kind of record. They know no HTTP and no rate limit."""
