"""Fit several treated units, each with a start of its own, in one joint posterior."""
