"""The file of a recording: its frames, its index, whose it is. Knows nothing of what its lines say."""
