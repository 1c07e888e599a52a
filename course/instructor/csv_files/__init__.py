"""Reading, writing, and changing CSV files of learning platforms and spreadsheets."""
