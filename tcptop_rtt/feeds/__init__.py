"""Feeds make snapshots: of this machine, of other hosts, of a recording, or of a fleet."""
