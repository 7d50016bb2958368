"""What all else speaks: records, rows, snapshots, what is known of a number."""
