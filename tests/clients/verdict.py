# SPDX-License-Identifier: BSD-3-Clause
"""verdict.py: "ok TEXT" and "not ok TEXT" for clients.bash, of what a program in Python has seen."""

_failures = 0


def check(is_right, text, *about):
    global _failures
    print("ok" if is_right else "not ok", text, flush=True)
    if not is_right:
        _failures += 1
        for line in about:
            print(f"  {line!r}"[:2000], flush=True)


def same(got, wanted, text):
    check(got == wanted, text, got, wanted)


def has_passed():
    return _failures == 0
