"""Train the networks of the older course on all of CIFAR-10 with its training configurations.

    python -m tests.benchmarks.recipes                      # all: one to two hours on two cores
    python -m tests.benchmarks.recipes model_1 --seed 1

Prints accuracies, measured after the training and without dropout. The networks are defined again
here, so that a mistake in a notebook shows as a difference.
"""

import argparse
import time

from course import datasets

SOFTMAX = {"activation": "softmax"}


def mlp(keras, layers):
    """Three hidden layers with dropout, functional API; 20 % of the images for validation."""
    hidden = []
    for units in (128, 256, 512):
        hidden += [layers.Dense(units, activation="relu"), layers.Dropout(0.2)]
    return [layers.Flatten(), *hidden, layers.Dense(10, **SOFTMAX)]


def one_layer(keras, layers):
    """One dense layer with an L2 penalty, whose weights the notebook shows as images."""
    return [
        layers.Flatten(),
        layers.Dense(10, **SOFTMAX, kernel_regularizer=keras.regularizers.L2(0.05)),
    ]


def one_hidden_layer(keras, layers):
    """One hidden layer of 128 units."""
    return [layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10, **SOFTMAX)]


def simple_cnn(keras, layers):
    """One convolution and a pooling layer."""
    convolution = layers.Conv2D(32, 3, padding="same", activation="relu")
    return [convolution, layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, **SOFTMAX)]


def six_convolutions(keras, layers):
    """Six convolutions in three blocks, dropout 0.2 in the last one and 0.5 in the dense layer."""
    blocks = []
    for filters in (32, 64, 128):
        blocks += [
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.2),
        ]
    dense = [layers.Dense(512, activation="relu"), layers.Dropout(0.5)]
    return [*blocks, layers.Flatten(), *dense, layers.Dense(10, **SOFTMAX)]


def model_1(keras, layers):
    """Two strided convolutions."""
    return [
        layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 5, strides=2, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, **SOFTMAX),
    ]


def model_2(keras, layers):
    """Four convolutions with stride 1, and dropout of 0.5 everywhere."""
    return _four_convolutions(layers, 0.5)


def model_2_as_model_1(keras, layers):
    """The same four convolutions with the dropout of `model_1`."""
    return _four_convolutions(layers, 0.25)


def _four_convolutions(layers, dropout):
    return [
        layers.Conv2D(32, 5, padding="same", activation="relu"),
        layers.Conv2D(32, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(dropout),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(dropout),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, **SOFTMAX),
    ]


# Network, parameters, optimizer, learning rate, batch size, epochs, fraction for validation.
RECIPES = [
    (mlp, 563_082, "Adam", 1e-3, 32, 5, 0.2),
    (one_layer, 30_730, "Adam", 1e-3, 128, 5, 0),
    (one_hidden_layer, 394_634, "Adam", 1e-3, 128, 30, 0),
    (model_1, 181_162, "RMSprop", 5e-4, 32, 15, 0),
    (model_2, 252_378, "RMSprop", 1e-4, 32, 5, 0),
    (model_2_as_model_1, 252_378, "RMSprop", 5e-4, 32, 15, 0),
    (simple_cnn, 82_826, "Adam", 1e-3, 128, 10, 0),
    (six_convolutions, 1_341_226, "Adam", 1e-3, 32, 5, 0.2),
]


def train(recipe, data, seed):
    """Train a network with its configuration and return a line with the results."""
    import keras
    from keras import layers

    build, parameters, optimizer, rate, batch_size, epochs, validation_fraction = recipe
    (x_train, y_train), (x_test, y_test) = data
    split = round(len(x_train) * (1 - validation_fraction))
    x_val, y_val = (x_train[split:], y_train[split:]) if validation_fraction else (x_test, y_test)
    x_train, y_train = x_train[:split], y_train[:split]
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((32, 32, 3)), *build(keras, layers)])
    assert network.count_params() == parameters, (build.__name__, network.count_params())
    step = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": rate}})
    network.compile(step, "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    network.fit(
        x_train,
        y_train,
        batch_size,
        epochs,
        verbose=0,
        validation_data=(x_val, y_val),
    )
    seconds = time.perf_counter() - start
    accuracies = [
        network.evaluate(*data_split, batch_size=500, verbose=0)[1]
        for data_split in ((x_train, y_train), (x_val, y_val), (x_test, y_test))
    ]
    columns = "".join(f"{100 * accuracy:>12.1f} %" for accuracy in accuracies)
    return f"{build.__name__:<20}{parameters:>10,}{seconds:>9.0f}{columns}"


def main():
    """Parse the command line, train the networks it names, and print a line for each."""
    names = [recipe[0].__name__ for recipe in RECIPES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="network", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if unknown := set(chosen.networks) - set(names):
        parser.error(f"there is no network {', '.join(unknown)}: choose from {', '.join(names)}")
    (x_train, y_train), (x_test, y_test) = datasets.load_cifar10("gpu")
    data = (x_train.astype("float32") / 255, y_train), (x_test.astype("float32") / 255, y_test)
    print(f"{'network':<20}{'parameters':>10}{'seconds':>9}", end="")
    print(f"{'training':>14}{'validation':>14}{'test':>14}", flush=True)
    for recipe in RECIPES:
        if not chosen.networks or recipe[0].__name__ in chosen.networks:
            print(train(recipe, data, chosen.seed), flush=True)


if __name__ == "__main__":
    main()
