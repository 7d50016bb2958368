"""Live round-trip time of every TCP connection on this machine."""

__version__ = "0.1.0"
