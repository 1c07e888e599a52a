"""Run the first steps of every Keras network untraced: most smoke fits have no more than these.

Tracing a network's steps costs 0.2 to 1 s, a tf.data pipeline 0.05 to 0.1 s a call; a step
of a smoke fit takes 20 ms. What turns out longer is traced as usual.
"""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.tensorflow import trainer
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

KERAS = "3.15."  # whose inside this changes; with any other all stays as it is
MAX_STEPS = 30  # of one network's training, and as many of its evaluation and prediction
OrdinaryIterator = trainer.TFEpochIterator


class Batches:
    """An iterator of its own type, by which a train or test function knows a short epoch."""

    def __init__(self, batches):
        self._next = batches.__next__

    def __iter__(self):
        return self

    def __next__(self):
        return self._next()


class EpochIterator(OrdinaryIterator):
    """Slices a few NumPy arrays itself, as Keras does with JAX; leaves all else to tf.data."""

    def __init__(self, distribute_strategy=None, *args, **kwargs):
        # Past the parent, which builds the pipeline, to its parent, which inspects the data.
        super(OrdinaryIterator, self).__init__(*args, **kwargs)
        adapter, plain = self.data_adapter, self.steps_per_epoch is None
        plain = plain and self.steps_per_execution == 1 and not tf.distribute.has_strategy()
        plain = plain and type(adapter) is ArrayDataAdapter and adapter.num_batches <= MAX_STEPS
        self._sliced_here = plain and all(
            type(array) is np.ndarray and array.dtype.kind in "biuf"
            for array in keras.tree.flatten(adapter._inputs)
        )
        if not self._sliced_here:
            super().__init__(distribute_strategy, *args, **kwargs)

    def _get_iterator(self):
        if not self._sliced_here:
            return super()._get_iterator()
        slices = map(keras.tree.lists_to_tuples, self.data_adapter.get_numpy_iterator())
        return Batches(keras.tree.map_structure(tf.convert_to_tensor, batch) for batch in slices)


def untraced_at_first(function, is_short):
    """Return a function of a batch whose first MAX_STEPS calls with short data are not traced."""
    left = MAX_STEPS

    @functools.wraps(function)
    def step(data):
        nonlocal left
        if left == 0 or tf.config.functions_run_eagerly() or not is_short(data):
            return function(data)
        left -= 1
        tf.config.run_functions_eagerly(True)
        try:
            return function(data)
        finally:
            tf.config.run_functions_eagerly(False)

    return step


def run_short_ones_eagerly():
    """Change `fit`, `evaluate` and `predict` of this process; runs no op, may be called twice.

    Results are those of traced steps up to rounding; NumPy's seed shuffles instead of TensorFlow's.
    """
    network = trainer.TensorFlowTrainer
    if not keras.__version__.startswith(KERAS) or trainer.TFEpochIterator is EpochIterator:
        return
    make, make_predict = network._make_function, network.make_predict_function

    def make_function(self, step):
        return untraced_at_first(make(self, step), lambda data: isinstance(data, Batches))

    def make_predict_function(self, force=False):
        if self.predict_function is None or force:
            make_predict(self, force)
            self.predict_function = untraced_at_first(self.predict_function, lambda data: True)
        return self.predict_function

    network._make_function, network.make_predict_function = make_function, make_predict_function
    trainer.TFEpochIterator = EpochIterator
