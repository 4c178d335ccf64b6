"""Pictures of plans, one per file."""
