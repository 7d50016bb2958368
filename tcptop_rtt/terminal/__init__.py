"""The terminal under the dashboard: its modes, its keys, what is written to it, and its end."""
