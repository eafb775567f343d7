"""The cronhook server: HTTP API, daemons and command line."""
