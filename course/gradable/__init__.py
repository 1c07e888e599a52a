"""Values that tests can use during grading, and the reasons why they cannot use others.

Grading runs tests in a different process from the student's code and rebuilds each value there by
exact type. The checks in a notebook and its last cell use this package to report, before the
submission, which values cannot be rebuilt. Grading uses the same rules.
"""

from course.gradable.rejection_reasons import NotGradable, Reason
from course.gradable.values import find_reason, plain_value

__all__ = ["NotGradable", "Reason", "find_reason", "plain_value"]
