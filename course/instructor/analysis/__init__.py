"""Static analysis of cells: the names that cells read and bind, and how cells depend on them."""
