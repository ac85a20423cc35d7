"""What runners in Python say: as tests/lib/checks.sh."""
import sys
import textwrap

passed = failed = skipped = 0


def tell(name, wrong):
    """One result: wrong is what is wrong with it, nothing where all is well."""
    global passed, failed
    if wrong:
        failed += 1
        print(f"not ok - {name}\n{textwrap.indent(str(wrong), '  ')}", flush=True)
    else:
        passed += 1
        print(f"ok - {name}", flush=True)


def check(name, expected, got):
    tell(name, "" if expected == got else f"expected: {expected}\ngot:      {got}")


def skip(name, reason):
    global skipped
    skipped += 1
    print(f"skip - {name}: {reason}")


def closing():
    """The closing lines; ends the program."""
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or not passed)
