"""What every driver written in Python shares: the form of its answers.

A driver reads paths of files on its standard input, one a line, and prints one line for each:
`ok NAME=VALUE NAME=VALUE …` (what its consumer read, names and values in hexadecimal) or `err REASON`.
"""
import sys


def paths():
    """The files that are asked about."""
    return sys.stdin.read().splitlines()


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def say(read):
    """Prints one answer: a mapping of names to values, or the exception that the consumer ended in."""
    if isinstance(read, Exception):
        print("err", type(read).__name__, " ".join(str(read).split())[:300].encode("ascii", "replace").decode())
    else:
        print("ok", *(f"{_bytes(name).hex()}={_bytes(value).hex()}" for name, value in read.items()))


def each(read):
    """Answers for every file with what `read` makes of its path."""
    for path in paths():
        try:
            answer = read(path)
        except Exception as failure:  # a consumer may fail in any way it likes: its failure is the answer
            answer = failure
        say(answer)


def together(read):
    """Answers for many files at once with a `read` of a list of paths.

    Where it fails as a whole, the file that it names goes; where it names none, the list is cut, then taken one by one.
    """

    def answers(some):
        try:
            return read(some)
        except Exception as failure:
            if len(some) == 1:
                return [failure]
            named = [i for i, path in enumerate(some) if path in str(failure)]
            if len(named) == 1:
                [i] = named
                rest = answers(some[:i] + some[i + 1 :])
                return rest[:i] + [failure] + rest[i:]
            size = 8 if len(some) > 8 else 1
            return [answer for i in range(0, len(some), size) for answer in answers(some[i : i + size])]

    asked = paths()
    for start in range(0, len(asked), 64):
        for answer in answers(asked[start : start + 64]):
            say(answer)
