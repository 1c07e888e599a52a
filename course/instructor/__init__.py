"""Code that runs on the instructor's side or in CI and is never published to students."""
