#!/usr/bin/env python3
"""Has the server of PGHOST judge and evaluate the conditions that generate.py makes; tests/long/fuzz/run starts both.

Each condition goes into a DELETE, UPDATE or MERGE, with safedelete.max_fraction = 1, so that rule `where` alone
refuses. It fails where
  false refusal    it is refused, and no reading of the contract lets it select every row of `filled`
  missed           it is not refused, and the contract demands it by the way it is built
  check            safedelete.check and the statement disagree
  data             the verdict on empty tables is another than on filled ones
  parameters       the verdict is another with the numbers as parameters of a prepared statement, custom or generic plan
  rows             it changed another number of rows than SELECT count(*) finds
  error            it raises what it does not raise with safedelete.mode = off, or anything of class XX; it ends the
                   server
"""

import argparse, itertools, os, random, re, subprocess, sys, time
from pathlib import Path
from generate import Generator

HERE = Path(__file__).resolve().parent
BATCH = 100
REFUSED = re.compile(r"21000 .*(?:requires a WHERE clause)( \(itself\))?$")
# What a column compared with itself leaves out restricts nothing by contract: NULLs, and of expressions what makes
# them.
VALUES = " AND ".join(f"{c} IS NOT NULL" for c in "axfd")
TARGETS = ["t"] * 10 + ["tp"] * 3 + ["ti"] * 2 + ["ONLY ti", "tv", "tw"]


class Case:
    def __init__(self, seed, number):
        self.name = f"{seed}/{number}"
        rng = random.Random(f"safedelete {self.name}")
        self.target = rng.choice(TARGETS)
        self.joined = rng.random() < 0.25
        # MERGE takes no view before 17.
        self.merge = self.joined and self.target in ("t", "tp") and rng.random() < 0.4
        self.update = rng.random() < 0.3
        self.generator = Generator(rng, self.joined)
        c = self.condition = self.generator.condition(self.target == "t")
        self.must = c.must and self.target not in (
            "ti",
            "tv",
        )  # a parent's NOT NULL speaks for itself alone; a view's WHERE counts
        self.literal = self.statement(plain(c.sql))
        self.values = []
        numbered = re.sub("⟦(.*?)⟧", lambda m: self.values.append(m[1]) or f"${len(self.values)}", c.sql)
        self.prepared = (
            f"PREPARE fuzz({', '.join(['int'] * len(self.values))}) AS {self.statement(numbered)}"
            if self.values
            else None
        )
        self.execution = f"EXECUTE fuzz({', '.join(self.values)})"
        self.results = {}

    def statement(self, where):
        if self.merge:
            return f"MERGE INTO {self.target} USING c ON {where} WHEN MATCHED THEN " + (
                "UPDATE SET x = 'new'" if self.update else "DELETE"
            )
        if self.update:
            return f"UPDATE {self.target} SET x = 'new'{' FROM c' if self.joined else ''} WHERE {where}"
        return f"DELETE FROM {self.target}{' USING c' if self.joined else ''} WHERE {where}"

    def questions(self):
        """What is asked of every condition: a key, the schema, the SQL that answers."""
        yield "bare", "bare", f"outcome({quoted(self.literal)})"
        check = f"safedelete.check({quoted(self.literal)})"
        yield "check", "bare", f"(SELECT string_agg(verdict || ' ' || coalesce(sqlstate, ''), ',') FROM {check})"
        yield "filled", "filled", f"outcome({quoted(self.literal)})"
        if self.prepared:
            for mode in ("force_custom_plan", "force_generic_plan"):
                yield mode, "bare", f"outcome({quoted(self.prepared)}, {quoted(self.execution)}, '{mode}')"

    def questions_back(self):
        """What the answers ask for."""
        bare, filled = self.results["bare"], self.results["filled"]
        if refused(bare):
            yield "truth", "filled", self.truth()
        elif filled.startswith("rows") and not self.merge and "random" not in self.condition.kinds:
            where = plain(self.condition.sql)
            where = f"EXISTS (SELECT 1 FROM c WHERE {where})" if self.joined else where
            yield "count", "filled", f"(SELECT 'rows ' || count(*) FROM {self.target} WHERE {where})"
        for key, schema in (("bare", "bare"), ("filled", "filled")):
            if not refused(self.results[key]) and not self.results[key].startswith("rows"):
                outcome = f"outcome({quoted(self.literal)})"
                yield f"{key} off", schema, f"set_config('safedelete.mode', 'off', false) || ' ' || {outcome}"

    def truth(self):
        """Whether some values of the holes make the condition true for every row."""
        given = " AND a > 2" if self.target == "tv" else ""
        tries = []
        for values in itertools.product(("true", "false"), repeat=self.generator.holes):
            filled = re.sub(r"\{(\d+)\}", lambda m: values[int(m[1])], plain(self.condition.truth))
            only = f" FILTER (WHERE {VALUES})" if self.results["bare"].endswith("(itself)") else ""
            tries.append(f"bool_and((({filled}){given}) IS TRUE){only}")
        others = "".join(
            f", {name}" for name, needed in (("s", "sub" in self.condition.kinds), ("c", self.joined)) if needed
        )
        table = {"tv": "t", "tw": "t"}.get(self.target, self.target)
        return f"(SELECT {' OR '.join(tries)} FROM {table}{others})"

    def problems(self):
        r = self.results
        bare = r["bare"]
        for key, value in r.items():
            if re.match(r"(?:off )?(XX|57014|58)|lost", value):
                yield f"error ({key}): {value}"
        if refused(bare):
            makes_nulls = bare.endswith("(itself)") and re.search("nullif|CASE", self.condition.sql)
            if not self.must and r.get("truth") == "f" and not makes_nulls:
                yield f"false refusal: {bare}"
            elif self.must and r.get("truth") == "f" and not makes_nulls:
                yield "generator: demanded and refused, but rows are left out"
        elif bare.startswith("rows"):
            if self.must:
                yield "missed: the contract demands a refusal"
        elif "off " + bare != r.get("bare off"):
            yield f"error: {bare}; with mode = off: {r.get('bare off')}"
        if r["check"] != ("refused 21000" if refused(bare) else "ok ") and (bare.startswith("rows") or refused(bare)):
            yield f"check says {r['check']!r}, the statement {bare!r}"
        if refused(bare) != refused(r["filled"]):
            yield f"data: {bare!r} on empty tables, {r['filled']!r} on filled ones"
        if "filled off" in r and r["filled off"] != "off " + r["filled"]:
            yield f"error: {r['filled']}; with mode = off: {r['filled off']}"
        for key in ("force_custom_plan", "force_generic_plan"):
            if key in r and refused(r[key]) != refused(bare) and (r[key].startswith("rows") or refused(r[key])):
                yield f"parameters ({key}): {r[key]!r}, with literals {bare!r}"
        if "count" in r and r["count"] != r["filled"]:
            yield f"rows: changed {r['filled']}, counted {r['count']}"


def refused(outcome):
    return bool(REFUSED.match(outcome))


def plain(sql):
    return re.sub("[⟦⟧]", "", sql)


def quoted(sql):
    return f"$q${sql}$q$"


def psql(sql, timeout=120):
    command = ["psql", "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=0", "-d", "fuzz", "-f", "-"]
    try:
        return subprocess.run(command, input=sql, text=True, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(command, 1, (e.stdout or b"").decode(), "hangs")


def must(sql):
    done = psql("\\set ON_ERROR_STOP 1\n" + sql)
    if done.returncode:
        sys.exit(f"set-up failed: {done.stderr}")
    return done.stdout


def prepare(seed):
    os.environ["PGDATABASE"] = "postgres"
    subprocess.run(
        [
            "psql",
            "-X",
            "-q",
            "-c",
            "DROP DATABASE IF EXISTS fuzz",
            "-c",
            "CREATE DATABASE fuzz",
            "-c",
            "ALTER DATABASE fuzz SET safedelete.max_fraction = 1",
        ],
        check=True,
        env=dict(os.environ, PGOPTIONS="-c client_min_messages=error"),
    )
    schema, after = (HERE / "schema.sql").read_text(), (HERE / "after.sql").read_text()
    must("CREATE EXTENSION safedelete; SET safedelete.mode = off;" + "".join(
        f"CREATE SCHEMA {name}; SET search_path = {name}; {schema} {fill} {after} ANALYZE;"
        for name, fill in (("bare", ""), ("filled", f"SELECT fill(500, {random.Random(seed).random()});"))))


def ask(cases, questions):
    """Puts each question once, all in one session; what gets no answer ended the session, and is put to none again."""
    todo = [(case, *question) for case in cases for question in questions(case)]
    while todo:
        lines = ["SET statement_timeout = '20s'; SET client_min_messages = error;"]
        schema_now = None
        for n, (case, key, schema, sql) in enumerate(todo):
            if schema != schema_now:
                lines.append(f"SET search_path = {schema};")
                schema_now = schema
            lines.append(f"\\echo @ {n}\nSELECT {sql};" + ("\nRESET safedelete.mode;" if key.endswith(" off") else ""))
        done = psql("\n".join(lines), timeout=600)
        last = -1
        for answer in re.finditer(r"^@ (\d+)\n((?:(?!@ \d).*\n?)*)", done.stdout, re.M):
            last = int(answer[1])
            case, key = todo[last][:2]
            case.results[key] = answer[2].rstrip("\n").removeprefix("off\t")
        # A question whose answer is missing though the session lived on.
        silent = [n for n in range(last + 1) if todo[n][0].results.get(todo[n][1]) == ""]
        for n in silent:
            todo[n][0].results[todo[n][1]] = "lost: no answer"
        if done.returncode == 0:
            if silent:
                print(done.stderr.strip()[:2000], file=sys.stderr)
            return
        if last < 0:
            sys.exit(f"no session: {done.stderr}")
        todo[last][0].results[todo[last][1]] = f"lost: {done.stderr.strip()[:300]}"
        todo = todo[last + 1:]
        wait_for_server()


def wait_for_server():
    for _ in range(60):
        if psql("SELECT 1").returncode == 0:
            return
        time.sleep(1)
    sys.exit("the server does not come back")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, action="append")
    p.add_argument("--count", type=int, default=2000)
    p.add_argument("--only", type=int, help="the one condition of this number")
    p.add_argument("--show", action="store_true", help="print every condition with its answers")
    a = p.parse_args()
    kept = [line.split()[0] for line in (HERE / "seeds").read_text().splitlines() if line[:1].isdigit()]
    seeds = a.seed or [int(name) for name in kept if "/" not in name]
    passed = failed = refusals = errors = 0
    for seed in seeds:
        prepare(seed)
        numbers = [a.only] if a.only is not None else range(a.count // len(seeds))
        cases = [Case(seed, n) for n in numbers]
        if not a.seed and seed == seeds[-1]:
            cases += [Case(*map(int, name.split("/"))) for name in kept if "/" in name]
        for start in range(0, len(cases), BATCH):
            batch = cases[start:start + BATCH]
            ask(batch, Case.questions)
            ask(batch, Case.questions_back)
            for case in batch:
                problems = list(case.problems())
                passed, failed = passed + (not problems), failed + bool(problems)
                refusals += refused(case.results["bare"])
                errors += "bare off" in case.results
                if problems or a.show:
                    print(
                        f"{'not ok -' if problems else 'ok -'} {case.name}{' (must)' if case.must else ''}: "
                        f"{case.literal}",
                        *problems,
                        sep="\n    ",
                        flush=True,
                    )
                    if a.show:
                        print("    ", case.results, case.prepared, case.execution)
        print(f"seed {seed}: {len(cases)} conditions", flush=True)
    log = Path(os.environ["SERVER_LOG"]).read_text(errors="replace") if "SERVER_LOG" in os.environ else ""
    for line in re.findall(r".*(?:terminated by signal|PANIC:|TRAP:).*", log):
        failed += 1
        print(f"not ok - server: {line}")
    print(f"{refusals} refused, {errors} raised errors of their own")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
