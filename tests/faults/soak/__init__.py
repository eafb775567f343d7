"""An installation under load for minutes, and whatever may befall it at random: ``python -m tests.faults.soak``."""
