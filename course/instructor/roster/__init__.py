"""The class roster, and reading and writing CSV files."""
