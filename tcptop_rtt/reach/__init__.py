"""What needs rights over others: looking into processes of other users, and into other network namespaces.

Nothing here imports numpy: the code that runs with these rights should be small.
"""
