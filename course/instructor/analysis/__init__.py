"""Static analysis of cells: the names that they read and bind, and what depends on them."""
