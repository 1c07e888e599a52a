"""Reasons why tests cannot use a value: fixed sentences with names from the student's code."""

from dataclasses import dataclass
from typing import Any

MAX_NAME_LENGTH = 60
SENTENCES = {
    "error": "it cannot be passed to the tests ({})",
    "malformed": "its configuration is malformed",
    "other": "it is of a type that tests cannot use",
    "object": "it is an object of the class {}: use numbers, text, arrays, lists, or dicts",
    "class": "it is the class {} itself, not an object of this class",
    "iterator": "it is a {}, which can be read only once: use a list",
    "array": "it is an array of type {}, and tests can use only arrays of numbers",
    "masked": "it is an array with masked entries: replace them with numbers",
    "symbolic": "it is a symbolic tensor, which has no values yet",
    "keys": "it is a dict with a key of the type {}: use text, numbers, or tuples as keys",
    "too-large": "it is too large or too deeply nested",
    "model-class": "its class {} changes {}: build the network with keras.Sequential or with"
    " keras.Model(inputs, outputs)",
    "layer-class": "its layer {} is of the class {}, which tests cannot use: use Keras's own"
    " layers",
    "lambda-layer": "its layer {} is a Lambda layer: use Keras's other layers",
    "activation": "the activation of its layer {} is not one of Keras's own: pass a name, such as"
    " 'relu'",
    "function": "the {} of its layer {} is not one of Keras's own: pass a name, such as 'zeros'",
    "part": "it contains {}, which is not one of Keras's own",
    "unsupported": "it contains {}, which tests cannot use: use one of Keras's layers, or other"
    " settings",
    "no-configuration": "Keras cannot describe it ({})",
    "cannot-build": "Keras cannot build it again ({})",
    "late-setting": "the {} of the {} in its layer {} is not the one with which the layer was"
    " created: pass it when you create the layer, because Keras ignores later changes",
    "changed-layer": "settings of its layer {} were changed after the layer was built: pass them"
    " when you create the layer",
    "changed-network": "it has other layers or weights than its settings say: create it again, with"
    " all settings passed when you create a layer",
    "cannot-compile": "Keras cannot compile it again ({})",
    "optimizer": "its optimizer, or a part of it, is not one of Keras's own ({}): use one from"
    " keras.optimizers",
    "loss": "its loss {} is not one of Keras's own: use one from keras.losses",
    "metric": "its metric {} is not one of Keras's own",
}


@dataclass(frozen=True)
class Reason:
    """A reason why tests cannot use a value: the key of a sentence, and the names in it.

    The student's code chooses the names, which can reveal what a hidden test passes to this code.
    """

    key: str
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, *names: object) -> "Reason":
        """Return the reason with a key and shortened names."""
        return cls(key, tuple(_short(name) for name in map(str, names)))

    @classmethod
    def from_untrusted(cls, key: Any, names: Any) -> "Reason":
        """Return a reason that a student's process sent, or "other" if it is not well-formed."""
        is_list = type(names) is list and all(type(name) is str for name in names)
        is_known = type(key) is str and key in SENTENCES
        if not is_list or not is_known or SENTENCES[key].count("{}") != len(names):
            return cls("other")
        return cls.of(key, *names)

    def sentence(self) -> str:
        """Return the reason as a clause, such as "it is an array with masked entries"."""
        return SENTENCES[self.key].format(*self.names)

    def capitalized(self) -> str:
        """Return the reason as the beginning of a sentence."""
        text = self.sentence()
        return text[:1].upper() + text[1:]

    def without_names(self) -> "Reason":
        """Return the reason with dots in place of the names."""
        return Reason(self.key, ("...",) * len(self.names))


class NotGradable(Exception):
    """Raised if tests cannot use a value; `reason` says why."""

    def __init__(self, reason: Reason | str) -> None:
        self.reason = reason if isinstance(reason, Reason) else Reason.of("error", reason)
        super().__init__(reason if isinstance(reason, str) else reason.sentence())


def _short(text: str) -> str:
    """Return at most `MAX_NAME_LENGTH` characters of a string, with unprintable ones as spaces."""
    text = text[: 4 * MAX_NAME_LENGTH]
    return "".join(each if each.isprintable() else " " for each in text)[:MAX_NAME_LENGTH]
