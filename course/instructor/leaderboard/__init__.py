"""The leaderboard of an assignment: test accuracies measured within a budget of training time."""
