"""The behaviour of cronhook, written against the ports alone."""
