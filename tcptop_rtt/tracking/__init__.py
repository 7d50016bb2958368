"""One row for each connection, kept up to date by records and scans; frozen snapshots come out."""
