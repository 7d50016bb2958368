"""The last ten minutes of the dashboard, second by second, and the moments of note in them."""
