"""The instructor's side: releases, grading and feedback, on nbgrader."""
