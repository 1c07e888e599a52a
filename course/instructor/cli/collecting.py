"""The command that takes in what students handed in."""

from collections import Counter

from course.errors import CourseError

SHOWN = 12  # files of a kind that are listed; the others are counted


def collect(arguments):
    """Take in submissions: a line each, then who is missing and how many files became what."""
    from course.instructor.collect import collection as collecting
    from course.instructor.collect import search
    from course.instructor.course_dir import assignment_names
    from course.instructor.roster import roster

    names = assignment_names(arguments.root, arguments.names)
    if arguments.student is not None and not roster.is_folder_name(arguments.student):
        raise CourseError(f"no folder can be called {arguments.student!r}: choose another name.")
    own = arguments.roster
    class_ = roster.read(own) if own else roster.of_course(arguments.root)
    how = collecting.How(class_, arguments.student, arguments.force)
    collection = collecting.Collection(arguments.root, arguments.path, names, how)
    left = {}
    for row in collection.run():
        if row.state in (search.LEFT_OUT, search.OLDER, search.FOR_A_PERSON):
            left.setdefault((row.state, row.words), []).append(row)
        elif row.words != "evidence":
            print(_line(row), flush=True)
    for (state, words), rows in sorted(left.items(), key=lambda each: each[0][0]):
        for row in rows[:SHOWN]:
            print(_line(row))
        if len(rows) > SHOWN:
            print(f"{state}: {words}: {len(rows) - SHOWN:,} files more")
    for name, students in collection.missing().items():
        if students:
            print(f"missing in {name}: {', '.join(students)}")
    counts = Counter(row.state for row in collection.rows)
    print(f"{counts.total():,} files: {', '.join(f'{n:,} {state}' for state, n in counts.items())}")
    print(f"each of them: {collection.folder / 'table.csv'}")
    return 1 if counts[search.FOR_A_PERSON] else 0


def _line(row):
    whose = "  ".join(each for each in (row.assignment, row.student) if each)
    words = f": {row.words}" if row.words else ""
    return f"{whose or row.file}  {row.state}{words}" + (f"  ({row.file})" if whose else "")
