"""Files of recordings: frames, index and ownership. The content of the lines plays no role here."""
