"""The code of a section of docs/declare.md, as it stands there."""
import re
import sys


def code(page, section, language):
    text = open(page, encoding="utf-8").read()
    part = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", part, re.S))


if __name__ == "__main__":
    print(code(*sys.argv[1:]))
