"""Where snapshots come from: this machine, others, a recording, a fleet; and when the next is due."""
