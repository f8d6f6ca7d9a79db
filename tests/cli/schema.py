#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""schema.py: has a validator that no one here wrote compare texts with the schemas we print.

    schema.py TEXTS.jsonl instance=FILE kraftfile=FILE request=FILE

TEXTS has what tests/unit/texts.h writes.  Prints how many texts fit and how many do not, by our own
tables, and a line for each of which the validator says otherwise.
"""
import collections
import json
import sys

from jsonschema import Draft202012Validator


def has_vast_number(value):
    """Numbers of more than 64 bits are refused wherever they stand, of which no schema says a word."""
    if isinstance(value, (dict, list)):
        return any(map(has_vast_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and abs(value) >= 2**63


def main():
    validators = {}
    for argument in sys.argv[2:]:
        kind, path = argument.split("=", 1)
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        validators[kind] = Draft202012Validator(schema)
    counts = collections.Counter()
    others = []
    with open(sys.argv[1], encoding="utf-8") as texts:
        for line in texts:
            text = json.loads(line)
            errors = list(validators[text["schema"]].iter_errors(text["value"]))
            counts[text["schema"], text["fits"]] += 1
            if text["fits"] == (not errors) or (not text["fits"] and has_vast_number(text["value"])):
                continue
            others.append(f"{text['schema']}: {json.dumps(text['value'])}: " +
                          (errors[0].message if errors else "fits the schema"))
    for kind in sorted(validators):
        print(kind, counts[kind, True], counts[kind, False])
    print("\n".join(others), end="\n" if others else "")


main()
