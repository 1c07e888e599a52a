"""Who is in the class; CSV files as platforms write them and as spreadsheets may open them."""
