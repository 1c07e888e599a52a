"""The class roster, and the reading and writing of CSV files."""
