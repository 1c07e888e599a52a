"""Everything that runs on the instructor's side or in CI; never published to students."""
