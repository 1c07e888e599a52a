"""A made-up class of 02-mnist in which most are honest and five pairs copied, each in its way."""

import ast
import copy
import json
import random
import re
from pathlib import Path
from string import Template

from tests.instructor.similarity import answer_variants
from tests.submissions import ROOT, lay_out, solved

NAME, FILE = "02-mnist", "mnist.ipynb"
KINDS = ("verbatim", "renamed", "reformatted", "reworded", "odd mistake")
# What a copier puts for a word; enough that a few of them stand in every answer.
OTHER_WORDS = {
    "so": "thus", "small": "little", "picture": "image", "weights": "parameters", "is": "gets",
    "can": "may", "looks": "gazes", "each": "every", "more": "further", "one": "a single",
    "it": "this", "and": "as well as", "the": "that", "of": "from",
}  # fmt: skip
SYLLABLES = ["ba", "ro", "ti", "ka", "lu", "me", "no", "si", "du", "fe"]


class Student:
    """Somebody with habits, who writes all answers."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.habits = {}
        self.answers = {place: self._code(place) for place in answer_variants.WAYS}
        self.answers |= {place: self._text(place) for place in answer_variants.SENTENCES}

    def _code(self, place):
        way = self.random.choice(answer_variants.WAYS[place])
        names = {slot: self._name(slot) for slot in answer_variants.NAMES}
        for share, cell, old, new in answer_variants.SLIPS:
            if cell == place and self.random.random() < share:
                way = way.replace(old, new)
        body = self._chosen(self._with_layers(way)).replace("LAYERS", "")
        body = Template(body).safe_substitute(names)
        if self._habit("quotes", ['"', "'"]) == '"':
            body = body.replace("'", '"')
        lines = body.split("\n")
        if self.random.random() < 0.3 and place in answer_variants.COMMENTS:
            comment = self.random.choice(answer_variants.COMMENTS[place])
            lines.insert(0, f"# {comment}")
        if len(lines) > 2 and self._habit("airy", [False, False, True]):
            lines.insert(-1, "")
        return "\n".join(lines)

    def _with_layers(self, way):
        if "LAYERS" not in way:
            return way
        stack = list(answer_variants.LAYERS)
        if "keras.Model" in way:
            first, *rest = stack
            lines = [f"$x = {first}(inputs)", *(f"$x = {each}($x)" for each in rest)]
            return way.replace("$x = LAYERS(inputs)", "\n".join(lines))
        if ".add(" in way:
            lines = [f"$b.add({each})" for each in [answer_variants.INPUT, *stack]]
            return way.replace("$b.add(LAYERS)", "\n".join(lines))
        return way.replace("LAYERS", ",\n    ".join([answer_variants.INPUT, *stack]))

    def _text(self, place):
        said = []
        ideas = list(answer_variants.SENTENCES[place])
        ideas = self.random.sample(ideas, self.random.randint(max(2, len(ideas) - 1), len(ideas)))
        numbers = {"d": str(self.random.randrange(10)), "e": str(self.random.randrange(10))}
        numbers["f"] = str(self.random.randrange(4, 30))
        for idea in ideas:
            sentence = self.random.choice(idea)
            while "<" in sentence:
                sentence = re.sub(
                    r"<([^<>]*)>", lambda f: self.random.choice(f[1].split("|")), sentence
                )
            said.append(Template(sentence).safe_substitute(numbers) + ".")
        return " ".join(said)

    def _chosen(self, text):
        return re.sub(r"<([^<>]*\|[^<>]*)>", lambda f: self._habit(f[1], f[1].split("|")), text)

    def _name(self, slot):
        # The first names of a list are the ones that most think of.
        pool = answer_variants.NAMES[slot]
        return pool[min(int(self.random.expovariate(1) * len(pool) / 3), len(pool) - 1)]

    def _habit(self, key, options):
        if key not in self.habits:
            self.habits[key] = self.random.choice(options)
        return self.habits[key]


def make_class(root, count, seed=0, kinds=KINDS):
    """Lay out a course directory with a class, and return it and who copied from whom by kind."""
    root = lay_out(root, NAME, names=())
    chance = random.Random(seed)
    students = [Student(f"{seed} {number}").answers for number in range(count)]
    names = [f"s{number:03}" for number in range(count)]
    chosen = chance.sample(range(count), 2 * len(kinds))  # nobody copies twice
    pairs = {}
    for kind, first, second in zip(kinds, chosen[::2], chosen[1::2], strict=True):
        COPY[kind](students, first, second, chance)
        pairs[kind] = {names[first], names[second]}
    template = solved(NAME, ROOT)
    for name, answers in zip(names, students, strict=True):
        hand_in(root, name, answers, template, chance)
    return root, pairs


def hand_in(root, student, answers, template, chance):
    """Write a submission: the answers in the release, with outputs of its own."""
    notebook = copy.deepcopy(template)
    for cell in notebook["cells"]:
        place = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if place in answers:
            cell["source"] = _in_place(place, "".join(cell["source"]), answers[place])
        if cell["cell_type"] == "code":
            text = f"{chance.random()}\n"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    path = Path(root, "submitted", student, NAME, FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def _in_place(place, solution, answer):
    """Return a solved cell with another answer in the solution's place."""
    if place in answer_variants.SENTENCES:
        return answer
    indented = "\n".join(f"    {line}" if line else "" for line in answer.split("\n"))
    if place == "compile_model":
        head, _, _ = solution.partition("    model.compile")
        return f"{head}{indented}\n    return model"
    if place == "train_model":
        head, _, _ = solution.partition("    history = model.fit")
        return head + indented
    if solution.startswith("def "):
        signature, docstring, *_ = solution.split("\n")
        return "\n".join([signature, docstring, indented])
    return answer


def _verbatim(students, first, second, chance):
    students[second] = dict(students[first])


def _renamed(students, first, second, chance):
    """Take all code, and give each variable another name."""
    for place in answer_variants.WAYS:
        text = students[first][place]
        for name in {each for pool in answer_variants.NAMES.values() for each in pool}:
            if re.search(rf"^\s*(for )?(\w+, )?{name}\b.*( = | in )", text, re.M):
                new = "".join(chance.sample(SYLLABLES, 3))
                text = re.sub(rf"(?<![.\w]){name}\b(?!\()", new, text)
        students[second][place] = text


def _reformatted(students, first, second, chance):
    """Take all code, in another layout and with other comments."""
    for place in answer_variants.WAYS:
        body = students[first][place]
        wrapped = "def f():\n" + "\n".join(f"    {line}" for line in body.split("\n"))
        lines = ast.unparse(ast.parse(wrapped)).split("\n")[1:]
        lines = [line[4:] for line in lines]
        words = "".join(chance.sample(SYLLABLES, 2)), "".join(chance.sample(SYLLABLES, 3))
        students[second][place] = "\n".join([f"# {' '.join(words)}", *lines])


def _reworded(students, first, second, chance):
    """Take a written answer and change one word in eight or so."""
    place = "explain_cnn"
    said = students[first][place].split(" ")
    candidates = [at for at, word in enumerate(said) if word.lower() in OTHER_WORDS]
    for at in chance.sample(candidates, min(len(candidates), len(said) // 8)):
        said[at] = OTHER_WORDS[said[at].lower()]
    students[second][place] = " ".join(said)


def _odd(students, first, second, chance):
    """Make the same mistake that nobody else makes."""
    for cell, patterns, new in chance.sample(answer_variants.ODD, len(answer_variants.ODD)):
        texts = [students[each][cell] for each in (first, second)]
        changed = [re.sub(patterns[0], new, text, count=1) for text in texts]
        if all(a != b for a, b in zip(texts, changed, strict=True)):
            for each, text in zip((first, second), changed, strict=True):
                students[each][cell] = text
            return
    raise ValueError("no odd mistake fits both")


COPY = dict(zip(KINDS, (_verbatim, _renamed, _reformatted, _reworded, _odd), strict=True))
