"""Reading the gradebook: submission results, class scores and the database's state."""
