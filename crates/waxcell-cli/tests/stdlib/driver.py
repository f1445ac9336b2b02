"""Runs `python -m test ARGS` and notes the outcome of every test in a file, as it happens.

    python3 driver.py FILE ARGS...

One JSON line a test. What regrtest itself writes (`--junit-xml`) is empty after a crash and leaves out failed subtests.
"""

import json
import os
import runpy
import sys
import traceback


def main():
    notes, main_process = os.path.abspath(sys.argv.pop(1)), os.getpid()
    os_open, os_write, os_close = os.open, os.write, os.close

    def note(test, outcome, why=""):
        if os.getpid() != main_process:
            return
        test = getattr(test, "test_case", test)
        name = test.id() if callable(getattr(test, "id", None)) else str(test)
        line = json.dumps({"test": name, "outcome": outcome, "why": str(why)[-3000:]}) + "\n"
        file = os_open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os_write(file, line.encode("utf-8"))
        os_close(file)

    def told(err):
        return "".join(traceback.format_exception(*err))

    try:
        from test.support.testresult import RegressionTestResult as Base
    except ImportError:  # from 3.13 on
        from test.libregrtest.testresult import RegressionTestResult as Base
    import test.libregrtest.main  # which older packages hide behind a function of that name

    if "_add_python_opts" in sys.modules["test.libregrtest.main"].Regrtest.__init__.__code__.co_names:
        # Newer ones execute themselves once more with other options, and would forget all this.
        sys.argv.insert(1, "--dont-add-python-opts")

    def patch(name, outcome, why):
        original = getattr(Base, name)

        def patched(self, test, *rest):
            note(test, outcome, why(*rest))
            return original(self, test, *rest)

        setattr(Base, name, patched)

    patch("addSuccess", "pass", lambda: "")
    patch("addSkip", "skip", lambda reason: reason)
    patch("addFailure", "fail", told)
    patch("addError", "error", told)
    patch("addExpectedFailure", "expected failure", told)
    patch("addUnexpectedSuccess", "unexpected success", lambda: "")
    subtest = Base.addSubTest

    def add_subtest(self, test, part, err):
        if err is not None:
            note(test, "fail", told(err))
        return subtest(self, test, part, err)

    Base.addSubTest = add_subtest
    runpy.run_module("test", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
