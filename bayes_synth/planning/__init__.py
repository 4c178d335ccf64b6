"""Plan a test with the posterior that will judge it."""
