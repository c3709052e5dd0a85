# SPDX-License-Identifier: MIT
"""changes.py: which small changes a line of C admits.

Each is a mistake that somebody could make: a bound missed by one, a condition the wrong way round, a call or an assignment
forgotten, an error taken for success.  Words for people are left alone, and so is what the preprocessor reads."""
import re

SWAPS = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
         (" && ", " || "), (" || ", " && "), (" + 1", ""), (" - 1", ""), (" + ", " - "), (" - ", " + "), (" |= ", " = "),
         (" += ", " = "), (" ? ", " ? !"), ("(!", "(")]
CONDITION = re.compile(r"^(\s+(?:\} else )?(?:else )?if \()(.*)(\)(?: \{)?)$")
CALL = re.compile(r"^\s+[a-z_]+\([^;]*\);$")
NO_CALL = re.compile(r"^\s+(free|return|va_\w+|close|sizeof|snprintf|journal\w*|fprintf)\b")
ASSIGNMENT = re.compile(r"^\s+[\w>.*\[\]()-]+ (=|\|=|&=|\+=|-=) [^;]*;$|^\s+[\w>.\[\]-]+(\+\+|--);$")
DECLARATION = re.compile(r"^\s+(static |const )*(struct|enum|union|bool|char|int|long|unsigned|size_t|ssize_t|void|u?int\d+_t)\b")
RETURN = re.compile(r"^(\s+(?:else )?return )(-E[A-Z]+|true|false|NULL|0|1|err|fd);$")
OTHER_RESULT = {"true": "false", "false": "true", "0": "-EIO", "1": "0"}


def _of_line(line):
    """(the new line, what was done)"""
    for old, new in SWAPS:
        if old in line:
            yield line.replace(old, new, 1), f"{old.strip()} becomes {new.strip() or 'nothing'}"
    m = CONDITION.match(line)
    if m and m.group(2).count("(") == m.group(2).count(")"):
        yield f"{m.group(1)}!({m.group(2)}){m.group(3)}", "the condition is negated"
    if CALL.match(line) and not NO_CALL.match(line):
        yield re.match(r"\s+", line).group() + ";", "the call is left out"
    if ASSIGNMENT.match(line) and not DECLARATION.match(line):
        yield re.match(r"\s+", line).group() + ";", "the assignment is left out"
    m = RETURN.match(line)
    if m:
        yield f"{m.group(1)}{OTHER_RESULT.get(m.group(2), '0')};", f"returns {OTHER_RESULT.get(m.group(2), '0')}"


def of_text(text):
    """(the line's number from 0, the new line, what was done) for all of a file."""
    comment = False
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if comment or stripped.startswith("/*"):
            comment = "*/" not in stripped
            continue
        code = line.split("/*")[0].rstrip()
        if "/*" in line and "*/" not in line:
            comment = True
        if not line.startswith(" ") or stripped.startswith("#") or '"' in code:
            continue
        for new, what in _of_line(code):
            yield number, new, what
