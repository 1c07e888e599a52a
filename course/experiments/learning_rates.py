"""A learning-rate schedule that is a list of numbers."""

from course.errors import CourseError


def tabulated_rate(rates):
    """Return a Keras schedule whose learning rate in step i is `rates[i]`.

    A compiled training step cannot call a Python function that contains `if`, but it can look up
    the values of such a function in a list.

    Parameters
    ----------
    rates : sequence of float
        One learning rate per step. Later steps use the last one.

    Returns
    -------
    keras.optimizers.schedules.LearningRateSchedule

    Raises
    ------
    CourseError
        If there is no rate, or one is negative or not finite.
    """
    import keras  # takes seconds to import
    import numpy as np

    rates = np.asarray(rates, "float32")
    if rates.ndim != 1 or not len(rates) or not np.isfinite(rates).all() or rates.min() < 0:
        raise CourseError(
            "the learning rates must be a list of finite numbers of at least 0, one per step."
        )

    class TabulatedRate(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            index = keras.ops.minimum(keras.ops.cast(step, "int32"), len(rates) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(rates), index)

        def get_config(self):
            return {"rates": rates.tolist()}

    return TabulatedRate()
