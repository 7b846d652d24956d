"""What the tests of shared stores stand on: engines, servers over one store, and what fails."""
