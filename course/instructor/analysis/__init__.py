"""What a cell reads, binds and depends on, found from its text; no cell is run."""
