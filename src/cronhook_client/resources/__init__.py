"""What the client can do, by what it is done with."""
