"""``python -m cronhook_server`` is ``cronhook``."""

from cronhook_server.cli import main

if __name__ == "__main__":
    main()
