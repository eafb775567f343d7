"""Scheduled webhooks that you own: the domain, the engine and its backends."""
