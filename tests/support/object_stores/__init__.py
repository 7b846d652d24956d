"""Support for the tests of shared stores: engines, servers, a flaky network and changes."""
