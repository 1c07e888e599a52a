"""Synthetic images drawn from a seed: handwritten digits and scenes of CIFAR-10's classes."""
