"""Synthetic images generated from a seed: handwritten digits and scenes of the CIFAR-10 classes."""
