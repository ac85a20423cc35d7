#!/usr/bin/env python3
"""Groups the errors in memcheck's logs, one log a process, by their stacks, and prints each group's first.

    errors.py LOG...

The exit status is 1 where there is one. An error is 'ours' where a frame of it is in safedelete: with debug information
memcheck names a Rust source file (nothing else in a server is Rust), without it the library. Also an error is what ends
a process by a signal.
"""
import collections, re, sys
from pathlib import Path

SHOWN = 20
FRAME = re.compile(r"(?:at|by) 0x[0-9A-F]+: (.*)$")
OURS = re.compile(r"\.rs:\d+\)|safedelete\.so")


def errors(path):
    """The errors of one log: each a list of lines without memcheck's mark. What --gen-suppressions prints is left
    out."""
    error, suppression = [], False
    for line in path.read_text(errors="replace").splitlines():
        mark = re.match(r"==\d+== ?(.*)$", line)
        if mark is None:
            suppression = (suppression or line == "{") and line != "}"
            if error:
                yield error
            error = []
        elif mark[1].strip():
            error.append(mark[1])
        elif error and not FRAME.search(error[-1]) and len(error) > 1:
            yield error
            error = []
    if error:
        yield error


def stack(error):
    """What is the same in every process: the kind of error and its frames without addresses."""
    kind = re.sub(r"0x[0-9A-F]+|\d+", "N", error[0])
    frames = []
    for line in error[1:]:
        frame = FRAME.search(line)
        if frame is None:
            break   # where the memory came from
        frames.append(frame[1])
    return (kind, *frames)


def main():
    groups, processes = {}, collections.Counter()
    for path in map(Path, sys.argv[1:]):
        for error in errors(path):
            key = stack(error)
            groups.setdefault(key, (path.name, error))
            processes[key] += 1
    ours = [key for key in groups if OURS.search("\n".join(key))]
    others = [key for key in groups if key not in ours]
    for word, keys in (("ours", ours), ("without a frame of ours", others)):
        for key in sorted(keys, key=lambda k: -processes[k])[:SHOWN]:
            log, error = groups[key]
            print(f"{word}, {processes[key]} times, first in {log}:", *error, sep="\n    ")
        if len(keys) > SHOWN:
            print(f"… and {len(keys) - SHOWN} more stacks")
    print(f"{len(ours)} errors with a frame of safedelete, {len(others)} without, in {len(sys.argv) - 1} processes")
    sys.exit(bool(groups))


if __name__ == "__main__":
    main()
