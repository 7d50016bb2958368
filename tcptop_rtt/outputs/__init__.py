"""Outputs without a screen: plain tables, the stream of JSON Lines, recordings, metrics."""
