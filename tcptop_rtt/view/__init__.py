"""How a snapshot is shown: fields and columns, order, filters, groups, and what holds connections up."""
