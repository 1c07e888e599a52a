"""A simulated class of 02-mnist: honest students and five pairs that copied in different ways."""

import ast
import copy
import json
import random
import re
from pathlib import Path
from string import Template

from tests.instructor.similarity import answer_variants
from tests.submissions import ROOT, create_fixture_class, solved

NAME, FILE = "02-mnist", "mnist.ipynb"
KINDS = ("verbatim", "renamed", "reformatted", "reworded", "odd mistake")
# Replacements for words when rewording a copy; every answer contains some of these words.
REPLACEMENTS = {
    "so": "thus", "small": "little", "picture": "image", "weights": "parameters", "is": "gets",
    "can": "may", "looks": "gazes", "each": "every", "more": "further", "one": "a single",
    "it": "this", "and": "as well as", "the": "that", "of": "from",
}  # fmt: skip
SYLLABLES = ["ba", "ro", "ti", "ka", "lu", "me", "no", "si", "du", "fe"]


class Student:
    """A simulated student with habits, who writes all answers."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.habits = {}
        self.answers = {answer_id: self._code(answer_id) for answer_id in answer_variants.SOLUTIONS}
        self.answers |= {
            answer_id: self._text(answer_id) for answer_id in answer_variants.SENTENCES
        }

    def _code(self, answer_id):
        solution = self.random.choice(answer_variants.SOLUTIONS[answer_id])
        names = {slot: self._name(slot) for slot in answer_variants.NAMES}
        for fraction, cell, old, new in answer_variants.MISTAKES:
            if cell == answer_id and self.random.random() < fraction:
                solution = solution.replace(old, new)
        body = self._choose(self._with_layers(solution)).replace("LAYERS", "")
        body = Template(body).safe_substitute(names)
        if self._habit("quotes", ['"', "'"]) == '"':
            body = body.replace("'", '"')
        lines = body.split("\n")
        if self.random.random() < 0.3 and answer_id in answer_variants.COMMENTS:
            comment = self.random.choice(answer_variants.COMMENTS[answer_id])
            lines.insert(0, f"# {comment}")
        if len(lines) > 2 and self._habit("blank line", [False, False, True]):
            lines.insert(-1, "")
        return "\n".join(lines)

    def _with_layers(self, solution):
        if "LAYERS" not in solution:
            return solution
        stack = list(answer_variants.LAYERS)
        if "keras.Model" in solution:
            first, *rest = stack
            lines = [f"$x = {first}(inputs)", *(f"$x = {each}($x)" for each in rest)]
            return solution.replace("$x = LAYERS(inputs)", "\n".join(lines))
        if ".add(" in solution:
            lines = [f"$b.add({each})" for each in [answer_variants.INPUT, *stack]]
            return solution.replace("$b.add(LAYERS)", "\n".join(lines))
        return solution.replace("LAYERS", ",\n    ".join([answer_variants.INPUT, *stack]))

    def _text(self, answer_id):
        sentences = []
        ideas = list(answer_variants.SENTENCES[answer_id])
        ideas = self.random.sample(ideas, self.random.randint(max(2, len(ideas) - 1), len(ideas)))
        numbers = {"d": str(self.random.randrange(10)), "e": str(self.random.randrange(10))}
        numbers["f"] = str(self.random.randrange(4, 30))
        for idea in ideas:
            sentence = self.random.choice(idea)
            while "<" in sentence:
                sentence = re.sub(
                    r"<([^<>]*)>", lambda match: self.random.choice(match[1].split("|")), sentence
                )
            sentences.append(Template(sentence).safe_substitute(numbers) + ".")
        return " ".join(sentences)

    def _choose(self, text):
        return re.sub(
            r"<([^<>]*\|[^<>]*)>", lambda match: self._habit(match[1], match[1].split("|")), text
        )

    def _name(self, slot):
        # The first names of a list are the most frequent ones.
        names = answer_variants.NAMES[slot]
        return names[min(int(self.random.expovariate(1) * len(names) / 3), len(names) - 1)]

    def _habit(self, key, options):
        if key not in self.habits:
            self.habits[key] = self.random.choice(options)
        return self.habits[key]


def make_class(root, count, seed=0, kinds=KINDS):
    """Create a course directory with a class; return it and the pairs of copies by kind."""
    root = create_fixture_class(root, NAME, names=())
    rng = random.Random(seed)
    students = [Student(f"{seed} {number}").answers for number in range(count)]
    names = [f"s{number:03}" for number in range(count)]
    chosen = rng.sample(range(count), 2 * len(kinds))  # each student is in one pair at most
    pairs = {}
    for kind, first, second in zip(kinds, chosen[::2], chosen[1::2], strict=True):
        COPY[kind](students, first, second, rng)
        pairs[kind] = {names[first], names[second]}
    template = solved(NAME, ROOT)
    for name, answers in zip(names, students, strict=True):
        write_submission(root, name, answers, template, rng)
    return root, pairs


def write_submission(root, student, answers, template, rng):
    """Write a submission: the answers inserted into the release, with unique outputs."""
    notebook = copy.deepcopy(template)
    for cell in notebook["cells"]:
        answer_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if answer_id in answers:
            cell["source"] = _insert_answer(answer_id, "".join(cell["source"]), answers[answer_id])
        if cell["cell_type"] == "code":
            text = f"{rng.random()}\n"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    path = Path(root, "submitted", student, NAME, FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def _insert_answer(answer_id, solution, answer):
    """Return a solved cell with an answer instead of the solution."""
    if answer_id in answer_variants.SENTENCES:
        return answer
    indented = "\n".join(f"    {line}" if line else "" for line in answer.split("\n"))
    if solution.startswith("def "):
        signature, docstring, *_ = solution.split("\n")
        return "\n".join([signature, docstring, indented])
    return answer


def _verbatim(students, first, second, rng):
    students[second] = dict(students[first])


def _renamed(students, first, second, rng):
    """Copy all code and rename each variable."""
    for answer_id in answer_variants.SOLUTIONS:
        text = students[first][answer_id]
        for name in {each for pool in answer_variants.NAMES.values() for each in pool}:
            if re.search(rf"^\s*(for )?(\w+, )?{name}\b.*( = | in )", text, re.M):
                new = "".join(rng.sample(SYLLABLES, 3))
                text = re.sub(rf"(?<![.\w]){name}\b(?!\()", new, text)
        students[second][answer_id] = text


def _reformatted(students, first, second, rng):
    """Copy all code with a different layout and different comments."""
    for answer_id in answer_variants.SOLUTIONS:
        body = students[first][answer_id]
        wrapped = "def f():\n" + "\n".join(f"    {line}" for line in body.split("\n"))
        lines = ast.unparse(ast.parse(wrapped)).split("\n")[1:]
        lines = [line[4:] for line in lines]
        words = "".join(rng.sample(SYLLABLES, 2)), "".join(rng.sample(SYLLABLES, 3))
        students[second][answer_id] = "\n".join([f"# {' '.join(words)}", *lines])


def _reworded(students, first, second, rng):
    """Copy a written answer and replace about one word in eight."""
    answer_id = "explain_cnn"
    words = students[first][answer_id].split(" ")
    candidates = [at for at, word in enumerate(words) if word.lower() in REPLACEMENTS]
    for at in rng.sample(candidates, min(len(candidates), len(words) // 8)):
        words[at] = REPLACEMENTS[words[at].lower()]
    students[second][answer_id] = " ".join(words)


def _odd(students, first, second, rng):
    """Make the same mistake, which no one else makes."""
    for cell, patterns, new in rng.sample(
        answer_variants.ODD_MISTAKES, len(answer_variants.ODD_MISTAKES)
    ):
        texts = [students[each][cell] for each in (first, second)]
        changed = [re.sub(patterns[0], new, text, count=1) for text in texts]
        if all(a != b for a, b in zip(texts, changed, strict=True)):
            for each, text in zip((first, second), changed, strict=True):
                students[each][cell] = text
            return
    raise ValueError("no odd mistake fits both")


COPY = dict(zip(KINDS, (_verbatim, _renamed, _reformatted, _reworded, _odd), strict=True))
