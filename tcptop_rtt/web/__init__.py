"""Asking servers over HTTP. Each answer is bounded in size and time; nothing in it is trusted."""
