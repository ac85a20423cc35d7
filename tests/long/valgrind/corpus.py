#!/usr/bin/env python3
"""Runs tests/corpus/cases.py where making a database takes seconds: all are made before the server runs below valgrind.

    corpus.py prepare CORPUS.sql...   a database for every case (8 MB each), on a server as it is
    corpus.py run CORPUS.sql...       the cases, each in its own; output and exit status are tests/corpus/cases.py's
"""
import hashlib, importlib.machinery, importlib.util, re, subprocess, sys
from pathlib import Path

path = str(Path(__file__).resolve().parents[2] / "corpus" / "cases.py")
loader = importlib.machinery.SourceFileLoader("corpus", path)
corpus = importlib.util.module_from_spec(importlib.util.spec_from_loader("corpus", loader))
loader.exec_module(corpus)
psql, run_case = corpus.psql, corpus.run_case
current = None


def database(case):
    return "corpus_" + hashlib.sha1(case["case"].encode()).hexdigest()[:16]


def prepare(case, guard, preloaded):
    corpus.must("postgres", f"CREATE DATABASE {database(case)} TEMPLATE {corpus.TEMPLATE};")
    return True, ""


def run(case, guard, preloaded):
    global current
    current = database(case)
    return run_case(case, guard, preloaded)


def psql_prepared(db, sql, *args, **kwargs):
    """What makes databases is done; corpus_case is the case's own."""
    if db == corpus.TEMPLATE or (db == "postgres" and re.match("(DROP|CREATE) DATABASE", sql)):
        return subprocess.CompletedProcess([], 0, "", "")
    return psql(current if db == "corpus_case" else db, sql.replace("corpus_case", str(current)), *args, **kwargs)


phase = sys.argv.pop(1)
if phase == "prepare":
    corpus.run_case = prepare
else:
    corpus.run_case, corpus.psql = run, psql_prepared
sys.exit(corpus.main())
