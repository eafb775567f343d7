"""What helps to test the server and programs that use it; nothing that runs in production imports it."""
