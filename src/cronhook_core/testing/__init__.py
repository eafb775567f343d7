"""Contract suites and test doubles for the ports."""
