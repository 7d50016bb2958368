"""HTTP requests to servers. The size and time of each answer are limited, and its content is not trusted."""
