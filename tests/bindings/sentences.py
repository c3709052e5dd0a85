# SPDX-License-Identifier: MIT
"""sentences.py MODULE...: runs unittest's tests of the modules, and prints them as all tests here are printed.

A test's name is its method's without "test_"; BINDINGS=NAME runs that one alone.
"""
import faulthandler
import os
import sys
import time
import unittest
import warnings


class Result(unittest.TestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.passed = 0

    @staticmethod
    def name(test):
        return f"{type(test).__name__.lower()}: {test._testMethodName[5:]}" if hasattr(test, "_testMethodName") else str(test)

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def addSuccess(self, test):
        self.passed += 1
        took = time.monotonic() - self.began
        print(f"ok {self.name(test)}{f' ({took:.1f} s)' if took > 1 else ''}", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skip {self.name(test)}: {reason}", flush=True)

    def bad(self, test, err):
        print(f"FAIL {self.name(test)}: {err[0].__name__}: {err[1]}", flush=True)
        print("    " + self._exc_info_to_string(err, test).replace("\n", "\n    "), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.bad(test, err)


def main():
    # A test that hangs says where, before its runner ends it.
    faulthandler.dump_traceback_later(100, exit=True)
    # What is left open by a binding is a fault of it.
    warnings.simplefilter("error", ResourceWarning)
    unraised = []
    sys.unraisablehook = lambda u: unraised.append(f"{u.object!r}: {u.exc_value!r}")
    suite = unittest.TestSuite()
    for module in sys.argv[1:]:
        for test in unittest.defaultTestLoader.loadTestsFromName(module):
            for one in test:
                if os.environ.get("BINDINGS") in (None, "", one._testMethodName[5:]):
                    suite.addTest(one)
    result = Result()
    suite.run(result)
    failed = len(result.failures) + len(result.errors)
    if unraised:
        print(f"FAIL {sys.argv[1]} left something: {unraised}")
        failed += 1
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
