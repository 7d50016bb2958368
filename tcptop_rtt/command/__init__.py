"""``tcptop-rtt run -- COMMAND``: what the connections of a command and its children were like."""
