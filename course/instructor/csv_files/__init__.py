"""Reading, writing, and editing CSV files for learning platforms and spreadsheets."""
