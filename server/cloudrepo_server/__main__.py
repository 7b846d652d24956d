"""`python -m cloudrepo_server` is the command `cloudrepo-server`."""

from cloudrepo_server.cli import main

if __name__ == "__main__":
    main()
