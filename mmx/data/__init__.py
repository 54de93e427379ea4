"""Tables of spend and sales: the data contract, the panel, the pre-model checks."""
