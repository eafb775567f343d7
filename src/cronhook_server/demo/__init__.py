"""The demo: an engine of its own in a temporary folder, a receiver of its own, and a story told as it happens."""
