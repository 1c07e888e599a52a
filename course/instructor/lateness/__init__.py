"""Due dates, extensions, and the points that late submissions lose."""
