"""Two times compared: what services and remote networks were like, and what differs by more than chance."""
