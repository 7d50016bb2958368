"""Decodes the stream: lines in, snapshots out."""
