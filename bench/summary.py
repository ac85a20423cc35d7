#!/usr/bin/env python3
"""Read the figures that the benchmarks leave, and print their table.

    bench/summary.py [--wide] FIGURES.csv

With --wide, one line a case, with what each library adds to it. A figure is one measurement of one case with one
library in one round. Reported is the ratio of the medians, library to plain; the spread is the middle half of
the rounds' own ratios.
"""

import csv
import operator
import re
import statistics
import sys

PLAIN, CONTROL = "plain", "control"
NAMES = {
    "plain": "plain",
    "control": "plain again",
    "safedelete": "safedelete",
    "safeupdate": "pg-safeupdate",
    "pg_savior": "pg_savior",
}
COMPARE = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}


class Case:
    """One case: its label, unit and bar, and the values of each library by round."""

    def __init__(self, name, label, unit, bar):
        self.name, self.label, self.unit, self.bar = name, label, unit, bar
        self.values = {}

    def median(self, library):
        return statistics.median(self.values[library].values())

    def ratio(self, library):
        """Ratio of the medians, or None where there is nothing to divide by."""
        if library not in self.values or PLAIN not in self.values or not self.median(PLAIN):
            return None
        return self.median(library) / self.median(PLAIN)

    def spread(self, library):
        """Lower and upper quartile of the rounds' ratios; None where there are fewer than three."""
        plain = self.values.get(PLAIN, {})
        ratios = [value / plain[round] for round, value in self.values[library].items() if plain.get(round)]
        if len(ratios) < 3:
            return None
        quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
        return quartiles[0], quartiles[2]

    def meets(self, library="safedelete"):
        """Whether the bar is met; None where there is none. A bar is a ratio to plain, or has a unit."""
        if not self.bar or library not in self.values:
            return None
        sign, limit, unit = re.fullmatch(r"([<>=]+)([0-9.]+) ?(\w*)", self.bar).groups()
        measured = self.median(library) if unit else self.ratio(library)
        return COMPARE[sign](measured, float(limit))

    def limit(self):
        """The bar as a ratio, or None."""
        return float(self.bar[2:]) if self.bar and " " not in self.bar else None


class Figures:
    """A file of figures: what it says of itself, and its cases in their order."""

    def __init__(self, path):
        self.about, self.cases, self.libraries = {}, {}, []
        with open(path, newline="") as file:
            lines = file.read().splitlines()
        for line in lines:
            if line.startswith("# "):
                key, _, value = line[2:].partition(": ")
                self.about[key] = value
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            case = self.cases.setdefault(row["case"], Case(row["case"], row["label"], row["unit"], row["bar"]))
            case.values.setdefault(row["library"], {})[int(row["round"])] = float(row["value"])
            if row["library"] not in self.libraries:
                self.libraries.append(row["library"])


def number(value, unit=""):
    """A figure with as many digits as mean something."""
    text = (
        f"{value:,.0f}"
        if abs(value) >= 1000 or value == int(value)
        else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    )
    return f"{text} {unit}".rstrip()


def share(ratio):
    """A ratio, as what is added or taken."""
    return f"{100 * (ratio - 1):+.2f} %"


def narrow(figures):
    line = "{:<52} {:<14} {:>16} {:>9}  {:<15} {:>9} {:>5}"
    print(line.format("", "", "median", "ratio", "spread", "bar", ""))
    for case in figures.cases.values():
        for library in case.values:
            ratio, spread = case.ratio(library), case.spread(library) if library != PLAIN else None
            print(
                line.format(
                    case.label if library == next(iter(case.values)) else "",
                    NAMES[library],
                    number(case.median(library), case.unit),
                    "" if ratio is None or library == PLAIN or ratio < 0.01 else f"{ratio:.4f}",
                    "" if spread is None or ratio < 0.01 else f"{spread[0]:.3f} - {spread[1]:.3f}",
                    case.bar if library == "safedelete" else "",
                    "over" if library == "safedelete" and case.meets() is False else "",
                )
            )


def wide(figures):
    peers = [library for library in figures.libraries if library not in (PLAIN, CONTROL, "safedelete")]
    line = "{:<52} {:>10} {:>11} {:>8} {:>9} {:>8} {:>5}" + " {:>14}" * len(peers)
    print(line.format("", PLAIN, "safedelete", "more", "percent", "bar", "", *(NAMES[peer] for peer in peers)))
    for case in figures.cases.values():
        plain, guarded, limit = case.median(PLAIN), case.median("safedelete"), case.limit()
        print(
            line.format(
                case.label,
                f"{plain:,.0f}",
                f"{guarded:,.0f}",
                f"{guarded - plain:+,.0f}",
                share(guarded / plain),
                f"{100 * (limit - 1):.1f} %" if limit else "",
                "over" if case.meets() is False else "",
                *(share(case.ratio(peer)) if peer in case.values else "" for peer in peers),
            )
        )


def main():
    figures = Figures(sys.argv[-1])
    print(
        "; ".join(
            f"{key} {value}" if key in ("PostgreSQL", "safedelete") else value
            for key, value in figures.about.items()
            if key != "settings"
        )
    )
    print()
    (wide if "--wide" in sys.argv[1:] else narrow)(figures)
    verdicts = [case.meets() for case in figures.cases.values()]
    print()
    print(f"{verdicts.count(True)} bars met, {verdicts.count(False)} missed")


if __name__ == "__main__":
    main()
