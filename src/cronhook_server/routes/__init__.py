"""The routes of the HTTP API: each reads a request, asks a service, and writes an answer."""
