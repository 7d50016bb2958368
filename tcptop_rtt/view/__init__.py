"""What is shown of a snapshot: fields and columns, order, filters, groups, what holds a connection up."""
