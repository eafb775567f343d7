"""What the engine asks of the world, one small protocol per file."""
