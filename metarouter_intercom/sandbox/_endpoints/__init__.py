"""The endpoints of the API, one module for each kind of record. They know no socket, thread or clock."""
