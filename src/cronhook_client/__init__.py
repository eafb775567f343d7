"""The cronhook client SDK."""
