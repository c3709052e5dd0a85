# SPDX-License-Identifier: MIT
"""one.py FILE CONDITION: whether it holds for r, what Ansible has written of a task's result for a host (--tree)."""
import json
import sys



class Result(dict):
    """What is not said is not so."""

    def __missing__(self, name):
        return None


with open(sys.argv[1]) as file:
    result = Result(json.load(file))
if not eval(sys.argv[2], {"r": result}):
    sys.exit(f"not {sys.argv[2]}: {json.dumps(result)[:600]}")
