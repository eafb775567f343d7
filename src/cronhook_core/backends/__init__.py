"""Implementations of the ports. Import the one you want by its path."""
