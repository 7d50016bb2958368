"""The stream read again: lines in, snapshots out."""
