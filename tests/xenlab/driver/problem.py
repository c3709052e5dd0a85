# SPDX-License-Identifier: MIT
"""What the lab says instead of a traceback."""


class Problem(Exception):
    """Something a person can act on.  'log' is a file whose end helps to understand it."""

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log

    def report(self, lines=25):
        text = str(self)
        if self.log:
            try:
                with open(self.log, errors="replace") as f:
                    tail = [line.rstrip("\r\n") for line in f.readlines()[-lines:]]
            except OSError:
                tail = []
            text += f"\nThe end of {self.log}:\n" + "\n".join("  | " + line for line in tail)
        return text
