"""``tcptop-rtt run -- COMMAND``: a report on the connections of a command and its children."""
