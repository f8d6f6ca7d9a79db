#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# outcomes: how instances have ended, as JUnit's XML and as TAP, read by who did not write them:
# Python's XML reader, and Perl's TAP::Parser.
. "$(dirname "$0")/../lib.sh"
if ! need guest "instances end" || ! need python3 "XML is read" || ! need perl "TAP is read"; then
    done_testing
fi

cat >two.yaml <<'END'
- name: good
  image: ./base
  args: [/bin/sh, -c, 'echo well; exit 0']
- name: bad
  image: ./base
  args: [/bin/sh, -c, 'printf "not ok <&\"\033[31m\001\377 ]]>\r\nlast words\n"; exit 3']
- name: fails
  image: ./base
  args: [/no/such/program]
END
ln -s "$ROOT/build/samples/busybox" base

# What a reader of JUnit's XML makes of it: a line for each test.
junit() {
    python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
suites = tree.parse(sys.argv[1]).getroot()
for suite in suites:
    print(*(suite.get(key) for key in ("name", "tests", "failures", "errors")))
    for case in suite:
        problem = [part for part in case if part.tag != "system-out"]
        print(case.get("name"), *(f"{part.tag}: {part.get('message')}" for part in problem))
        print(repr(case.find("system-out").text), float(case.get("time")) > 0)
PYTHON
}

romsim run -q --junit r.xml --tap r.tap two.yaml >said 2>&1
status=$?
case $status in # of several that fail it is the first one's
3 | 127) pass "the status is an app's, still" ;;
*) fail "the status is an app's, still" "$status" "$(cat said)" ;;
esac
ok "the XML is one" junit r.xml
is "$(sed -n 1p <<<"$out")" "two.yaml 3 1 1" "a suite of three, of which one fails and one cannot be run"
is "$(sed -n 2,3p <<<"$out")" "good
'well\\n' True" "one has passed, with what it said"
like "$(sed -n 4p <<<"$out")" "bad failure: the app ended with status 3" "one has failed, by its status"
is "$(sed -n 5p <<<"$out")" "'not ok <&\"�[31m�� ]]>\\nlast words\\n' True" "... with whatever it said"
like "$(sed -n 6p <<<"$out")" "fails error: " "one could not be run, which is told apart"
like "$(sed -n 6p <<<"$out")" "/no/such/program" "... with the reason"

perl -MTAP::Parser -e '
    my $parser = TAP::Parser->new({source => $ARGV[0]});
    $parser->run;
    print join(" ", $parser->passed), "|", join(" ", $parser->failed), "|", scalar(@{[$parser->parse_errors]}), "\n";
' r.tap >tap.out 2>&1
is "$(cat tap.out)" "1|2 3|0" "a reader of TAP sees the same"
like "$(cat r.tap)" "# not ok <&\"" "what an app says is a comment"

# A long console: its end is kept, from a line's beginning.
ok "an app that says much" romsim run -q --junit much.xml --image ./base \
    --args '/bin/sh -c "seq 100000; echo done"'
junit much.xml >much.out
text=$(sed -n 3p much.out)
like "$text" "99999\\n100000\\ndone\\n' True" "has its end in it"
if [ ${#text} -lt 90000 ] && [[ $text =~ ^\'[0-9]+\\n ]]; then pass "... and no more than that"
else fail "... and no more than that" "${#text} characters: ${text:0:60}"; fi

fails 2 "not with --detach" romsim run -d --junit d.xml --image ./base
fails 125 "a file that cannot be written" romsim run -q --junit no/such/folder.xml --image ./base --args true
like "$out" "--junit: " "... is told by its option"
echo old >kept.xml
fails 125 "of an instance that cannot be made" romsim run --junit kept.xml --image no-such-image
like "$(junit kept.xml)" "No image with name 'no-such-image'" "the report is no older one, and says why"
printf 'name: x\nimage: ./base\nroms: [{name: a, file: x}]\n' >bad.yaml
fails 125 "of a file with a mistake" romsim run --junit bad.xml --tap bad.tap bad.yaml
like "$(junit bad.xml)" "bad.yaml error: bad.yaml:3:" "so does that one"
like "$(cat bad.tap)" "not ok 1 - bad.yaml" "... and TAP"
is "$(find . -name 'r.*' -newer two.yaml | sort | tr '\n' ' ')" "./r.tap ./r.xml " "nothing else is left"
done_testing
