"""The leaderboard of an assignment: measured test accuracies within a budget of seconds."""
