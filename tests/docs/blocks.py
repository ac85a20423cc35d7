#!/usr/bin/env python3
"""Run the SQL of documents and compare its output with what the documents show.

    tests/docs/blocks.py DOCUMENT.md...

Each document is one psql session of a superuser in a database of its own, on the server that PGHOST and PGPORT name
(libraries preloaded). Its blocks fenced as `sql` are run in order; a block fenced as `text` right below shows what the
block prints, errors included, and a block without one prints nothing. What a page does not need to show its readers
stands in an HTML comment. Closes with 'N passed, N failed'.
"""
import re
import subprocess
import sys
from pathlib import Path

import checks


def blocks(text):
    """(line, sql, expected) of each sql block."""
    fences = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    found = []
    for fence in fences:
        if fence[1] == "sql":
            found.append([text.count("\n", 0, fence.start()) + 1, fence[2], "", fence.end()])
        elif fence[1] == "text" and found and text[found[-1][3]:fence.start()].strip() in ("", "<!--"):
            found[-1][2] = fence[2]
    return [block[:3] for block in found]


def psql(database, script, *options):
    command = ["psql", "-X", "-q", "-P", "footer=off", *options, "-d", database]
    done = subprocess.run(command, input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def run(path):
    text = Path(path).read_text()
    found = blocks(text)
    database = "docs_" + Path(path).stem.lower().replace("-", "_")
    psql("postgres", f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database};", "-v", "ON_ERROR_STOP=1")
    marker = "=== end of block"
    script = "".join(f"{sql}\n\\echo '{marker}'\n" for _, sql, _ in found)
    outputs = psql(database, script).split(marker + "\n")
    for (line, _, expected), output in zip(found, outputs):
        shown = "\n".join(l.rstrip() for l in output.strip("\n").splitlines() if l.strip() and l.strip() != "--")
        wanted = "\n".join(l.rstrip() for l in expected.strip("\n").splitlines() if l.strip())
        checks.tell(f"{path}:{line}", "" if shown == wanted else f"--- shown\n{wanted}\n--- printed\n{shown}")
    for line, *_ in found[len(outputs) - 1:]:
        checks.tell(f"{path}:{line}", "psql did not come to it")


for document in sys.argv[1:]:
    run(document)
checks.closing()
