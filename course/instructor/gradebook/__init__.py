"""Reading the gradebook: submission results, class scores, and the state of the database."""
