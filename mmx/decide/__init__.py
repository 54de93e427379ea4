"""Budget decisions from a posterior."""
