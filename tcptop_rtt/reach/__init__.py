"""What takes rights over others: looking into processes of other users, and into other network namespaces.

Nothing here imports numpy: what needs these rights is to be small.
"""
