"""How a formula becomes a question of the bank, and what the formulas share."""

from functools import partial


def in_bank(bank, name, draw):
    """Return a decorator that puts a formula into a bank, with the function that draws for it."""

    def put(formula):
        formula.draw = draw
        bank[name] = formula
        return formula

    return put


def preset(bank, name, formula, **numbers):
    """Put a formula into a bank again, with other numbers as those of the course's text."""
    again = partial(formula, **numbers)
    again.draw = formula.draw
    bank[name] = again


def output_size(size, window, stride, padding):
    """Return floor((W - F + 2 P) / S) + 1, the size of a convolution's output."""
    return (size - window + 2 * padding) // stride + 1


def counted(number, noun):
    """Return a number with its noun, in the plural where it is one."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
