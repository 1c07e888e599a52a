"""Lint rules against test cells whose expectations depend on what the student's code has done."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Their results contain metrics that the student chose, with names that the student chose.
COMPILED_METHODS = {"evaluate", "fit", "get_metrics_result", "test_on_batch", "train_on_batch"}
# They broadcast: an empty array differs from nothing.
BROADCASTING = {"allclose", "isclose", "array_equiv"}
# They also do so, but only if the expected value is a number.
BROADCASTING_NUMBERS = {
    *("assert_allclose", "assert_almost_equal", "assert_array_almost_equal"),
    *("assert_array_equal", "assert_equal"),
}
# They measure how far values are apart.
DIFFERENCES = {"abs", "absolute", "fabs", "norm"}
# Functions of course.checks that pass copies to a student's function.
COPYING = {"unchanged", "call_with_copies"}
PLAIN_RESULTS = {"bool", "float", "int", "len", "range", "repr", "round", "str", "type"}


def find_problems(grade_id: str, tree: ast.Module, student_names: set[str]) -> Iterator[str]:
    """Yield a sentence for each problem in a test cell that uses these names of the student."""
    reads = _ReadsAfterCalls(student_names)
    reads.follow(tree.body)
    for name, function in reads.found:
        yield (
            f"{grade_id} reads {name} after passing it to the student's {function}, which may have"
            f" changed it: read it before the call, or pass a copy, such as {name}.copy()."
        )
    yield from _uses_of_compiled_metrics(grade_id, tree)
    yield from _comparisons_that_broadcast(grade_id, tree)
    yield from _comparisons_that_nan_passes(grade_id, tree)


def _uses_of_compiled_metrics(grade_id: str, tree: ast.Module) -> Iterator[str]:
    """Yield a problem for each result of a network that the test has not compiled itself."""
    compiled: set[str] = set()
    ignored = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    calls = [
        (each, each.func.value, each.func.attr)
        for each in ast.walk(tree)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
    ]
    for call, owner, method in sorted(calls, key=lambda each: each[0].lineno):
        text = ast.unparse(owner)
        if method == "compile":
            compiled.add(text)
        is_ignored = method == "fit" and id(call) in ignored
        if method in COMPILED_METHODS and text not in compiled and not is_ignored:
            yield (
                f"{grade_id} uses the result of {text}.{method}, but the student chose what it"
                " measures: use training.accuracy, checks.measures_accuracy, or checks.loss_value,"
                " or compile the network in the test."
            )


def _comparisons_that_broadcast(grade_id: str, tree: ast.Module) -> Iterator[str]:
    """Yield a problem for each comparison that an empty array passes."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=arguments):
                expects_number = len(arguments) > 1 and _is_number(arguments[1])
                if name in BROADCASTING or (name in BROADCASTING_NUMBERS and expects_number):
                    yield (
                        f"{grade_id} uses {name}, which an empty array passes: use checks.close,"
                        " which also compares the shapes."
                    )


def _comparisons_that_nan_passes(grade_id: str, tree: ast.Module) -> Iterator[str]:
    """Yield a problem for each difference that is compared so that NaN does not count as large.

    A comparison that is itself the claim of a check, such as "the weights have moved", is no
    problem, because NaN then fails the check.
    """
    claims = _claims(tree)
    for node in ast.walk(tree):
        match node:
            case _ if id(node) in claims:
                continue
            case ast.Compare(left=left, ops=[ast.Gt() | ast.GtE()]):
                difference = left
            case ast.Compare(ops=[ast.Lt() | ast.LtE()], comparators=[right]):
                difference = right
            case _:
                continue
        calls = [each.func for each in ast.walk(difference) if isinstance(each, ast.Call)]
        names = {getattr(each, "attr", getattr(each, "id", None)) for each in calls}
        if names & DIFFERENCES:
            yield (
                f"{grade_id} asks whether {ast.unparse(node)}, which is false for NaN, as if the"
                " values agreed: use checks.close, or write `not ... <= ...`."
            )


def _claims(tree: ast.Module) -> set[int]:
    """Return the IDs of the expressions that must be true for a check or an assertion to pass."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Assert(test=claim):
                found.append(claim)
            case ast.Call(func=ast.Attribute(attr="that"), args=[_, claim, *_]):
                found.append(claim)
    for claim in found:
        match claim:
            case ast.BoolOp(op=ast.And(), values=parts):
                found += parts
            case ast.Call(func=ast.Name(id="bool"), args=[part]):
                found.append(part)
    return {id(claim) for claim in found}


def _is_number(node: ast.expr) -> bool:
    """Return whether an expression is a number."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex)


@dataclass
class _ReadsAfterCalls:
    """Follows a cell's statements to find reads of values passed to a student's function before."""

    student_names: set[str]
    found: dict[tuple[str, str], None] = field(default_factory=dict)  # (name, function), in order
    given: dict[str, str] = field(default_factory=dict)  # name to the function that it was given to
    plain: set[str] = field(default_factory=set)  # names of numbers, text, and tuples of them
    plain_lists: set[str] = field(default_factory=set)  # names of lists of plain values

    def follow(self, statements: Iterable[ast.stmt]) -> None:
        """Follow statements in the order in which they run."""
        for statement in statements:
            match statement:
                case ast.For(target=target, iter=values, body=body, orelse=after):
                    self._follow_expression(values)
                    for _ in range(2):  # a call may come before a read in the next round
                        self._bind_elements(target, values)
                        self.follow(body)
                    self.follow(after)
                case ast.While(test=test, body=body, orelse=after):
                    for _ in range(2):
                        self._follow_expression(test)
                        self.follow(body)
                    self.follow(after)
                case ast.If(test=test, body=body, orelse=after):
                    self._follow_expression(test)
                    self.follow([*body, *after])
                case ast.With(items=items, body=body):
                    for item in items:
                        self._follow_expression(item.context_expr)
                    self.follow(body)
                case ast.Try(body=body, handlers=handlers, orelse=after, finalbody=last):
                    handled = [each for handler in handlers for each in handler.body]
                    self.follow([*body, *handled, *after, *last])
                case ast.FunctionDef(body=body, args=arguments):
                    inner = _ReadsAfterCalls(self.student_names, self.found)
                    inner.plain, inner.plain_lists = self.plain.copy(), self.plain_lists.copy()
                    inner.plain -= {each.arg for each in arguments.args}
                    inner.follow(body)
                case ast.Assign(targets=targets, value=value):
                    self._follow_expression(value)
                    for target in targets:
                        self._bind(target, value)
                case _:
                    self._follow_expression(statement)
                    for node in ast.walk(statement):
                        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                            self.plain_lists.discard(node.id)

    def _follow_expression(self, node: ast.AST) -> None:
        """Record the reads and calls of a statement or expression without a body of its own."""
        for each in ast.walk(node):
            if isinstance(each, ast.comprehension):
                self._bind_elements(each.target, each.iter)
        given: dict[str, str] = {}
        passed: set[int] = set()  # ids of the nodes that are arguments
        for call in ast.walk(node):
            match call:
                case ast.Call(func=ast.Name(id=function)) if function in self.student_names:
                    for name in _direct_arguments(call):
                        passed.add(id(name))
                        if name.id not in self.plain:
                            given[name.id] = function
                case ast.Call(func=ast.Attribute(attr=function)) if function in COPYING:
                    passed |= {id(each) for each in ast.walk(call)}
        self.given |= given
        for each in ast.walk(node):
            if (
                isinstance(each, ast.Name)
                and isinstance(each.ctx, ast.Load)
                and each.id in self.given.keys() - self.student_names
                and id(each) not in passed
            ):
                self.found[each.id, self.given[each.id]] = None

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        """Bind the names of a target of an assignment."""
        if isinstance(target, ast.Name):
            self._bind_name(target.id, self._is_plain(value), self._has_plain_elements(value))
        elif isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            if len(parts) == len(target.elts):
                for each, part in zip(target.elts, parts, strict=True):
                    self._bind(each, part)
            else:
                self._bind_all(target, self._is_plain(value) or self._has_plain_elements(value))

    def _bind_elements(self, target: ast.expr, values: ast.expr) -> None:
        """Bind the names of the target of a loop over values."""
        if isinstance(values, ast.List | ast.Tuple | ast.Set) and values.elts:
            states = []
            for element in values.elts:
                self._bind(target, element)
                states.append((self.plain.copy(), self.plain_lists.copy()))
            # A name is plain if it is so in each round.
            self.plain = set.intersection(*(state[0] for state in states))
            self.plain_lists = set.intersection(*(state[1] for state in states))
            return
        match values, target:
            case (
                ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]),
                ast.Tuple(elts=[number, element]),
            ):
                self._bind_all(number, True)
                self._bind_elements(element, inner)
            case (ast.Call(func=ast.Name(id="zip"), args=parts), ast.Tuple(elts=elements)) if len(
                parts
            ) == len(elements):
                for element, part in zip(elements, parts, strict=True):
                    self._bind_elements(element, part)
            case _:
                self._bind_all(target, self._has_plain_elements(values))

    def _bind_all(self, target: ast.expr, is_plain: bool) -> None:
        """Bind every name of a target to a value that is immutable (plain) or not."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._bind_name(node.id, is_plain, False)

    def _bind_name(self, name: str, is_plain: bool, has_plain_elements: bool) -> None:
        """Bind a name, which no longer refers to a value that was passed to a function."""
        self.given.pop(name, None)
        (self.plain.add if is_plain else self.plain.discard)(name)
        (self.plain_lists.add if has_plain_elements else self.plain_lists.discard)(name)

    def _is_plain(self, node: ast.expr) -> bool:
        """Return whether a value is immutable: a number, a string, or a tuple of them."""
        match node:
            case ast.Constant() | ast.JoinedStr():
                return True
            case ast.Name(id=name):
                return name in self.plain
            case ast.Tuple(elts=parts):
                return all(map(self._is_plain, parts))
            case ast.UnaryOp(operand=part):
                return self._is_plain(part)
            case ast.BinOp(left=left, right=right):
                return self._is_plain(left) and self._is_plain(right)
            case ast.Call(func=ast.Name(id=function)):
                return function in PLAIN_RESULTS
        return False

    def _has_plain_elements(self, node: ast.expr) -> bool:
        """Return whether all elements of a value are immutable."""
        match node:
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return all(map(self._is_plain, parts))
            case ast.Constant(value=str()) | ast.Call(func=ast.Name(id="range")):
                return True
            case ast.Name(id=name):
                return name in self.plain_lists or name in self.plain
        return False


def _direct_arguments(call: ast.Call) -> Iterator[ast.Name]:
    """Yield the names that a call passes, also as parts of arguments, without copying them."""
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    for part in parts:
        match part:
            case ast.Name():
                yield part
            case ast.Starred(value=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                parts.append(inner)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                parts += elements
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                parts += [value for key, value in pairs if key is not None]
