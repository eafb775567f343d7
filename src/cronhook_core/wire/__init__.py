"""The JSON of the HTTP API, once, for server and client."""
