"""What the asynchronous client can do, by what it is done with."""
