"""The module that `python -m cloudrepo_server` runs; the same as the command `cloudrepo-server`."""

from cloudrepo_server.cli import main

if __name__ == "__main__":
    main()
