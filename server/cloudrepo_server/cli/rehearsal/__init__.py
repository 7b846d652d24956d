"""The rehearsal of a release: `cloudrepo-server rehearse` runs it, and prints its report."""
