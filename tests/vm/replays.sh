#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# replays.sh: several cases, or a folder of them, are replayed one after the other, with one report:
# what is broken or differs is told in it, and is not the end.
. "$(dirname "$0")/../lib.sh"
need guest "cases" || done_testing
for tool in jq zstd python3 perl; do need $tool "cases" || done_testing; done

mkdir cases
ln -s "$ROOT/build/samples/busybox" base
cat >app.yaml <<'END'
name: tried
image: ./base
args: [/bin/sh, -c, "echo token $TOKEN; exit 3"]
env: {TOKEN: hunter2-and-more}
END
ok "a case is captured" romsim capture -q app.yaml --with-root -o cases/b-same.tar.zst
mkdir x && tar -C x --zstd -xf cases/b-same.tar.zst
jq '.outcome.exit_code = 4' x/case.json >head.json && mv head.json x/case.json
tar -C x --zstd -cf cases/c-other.tar.zst .
head -c 1000 cases/b-same.tar.zst >cases/a-cut.tar.zst
echo none >cases/README
cp cases/a-cut.tar.zst cases/.hidden.tar.zst

fails 125 "a folder of them: the status is the worst one" \
    romsim replay --junit r.xml --tap r.tap -e TOKEN=another-one cases
is "$(grep '^[a-z]*  *cases/' <<<"$out")" "error    cases/a-cut.tar.zst
same     cases/b-same.tar.zst
differs  cases/c-other.tar.zst: exit: exit status 4 there, exit status 3 here" \
    "there is a line for each, sorted, and for nothing else"
like "$out" "'cases/a-cut.tar.zst' cannot be decompressed" "and what one cannot be run for"
like "$out" "3 cases: 1 the same, 1 with a difference, 1 that could not be run" "and the sums"

# What a reader of JUnit's XML makes of it: a line for each test.
junit() {
    python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
for suite in tree.parse(sys.argv[1]).getroot():
    print(*(suite.get(key) for key in ("name", "tests", "failures", "errors")))
    for case in suite:
        problem = [part for part in case if part.tag != "system-out"]
        print(case.get("name"), *(f"{part.tag}: {part.get('message')}" for part in problem))
        print(" said", repr(case.find("system-out").text))
PYTHON
}
ok "the XML is one" junit r.xml
is "$out" "romsim replay 3 1 1
cases/a-cut.tar.zst error: 'cases/a-cut.tar.zst' cannot be decompressed: it ends too early
 said None
cases/b-same.tar.zst
 said 'token [redacted TOKEN]\\n'
cases/c-other.tar.zst failure: exit: exit status 4 there, exit status 3 here
 said 'token [redacted TOKEN]\\n'" "with each case, and no value of a variable"
is "$(perl -MTAP::Parser -e '
    my $parser = TAP::Parser->new({source => $ARGV[0]});
    $parser->run;
    print join(" ", $parser->passed), "|", join(" ", $parser->failed), "|", scalar(@{[$parser->parse_errors]});
    ' r.tap 2>&1)" "2|1 3|0" "a reader of TAP sees the same"

fails 1 "a difference alone is 1" romsim replay -q --junit one.xml cases/c-other.tar.zst
is "$out" "differs  cases/c-other.tar.zst: exit: exit status 4 there, exit status 3 here" "and said"
like "$(junit one.xml)" "romsim replay 1 1 0" "a report of one is one, too"
out=$(romsim replay --json cases/a-cut.tar.zst no-such.tar.zst 2>/dev/null)
is "$(jq -c '.[] | [.case, .same, .error]' <<<"$out")" \
    "[\"cases/a-cut.tar.zst\",null,\"'cases/a-cut.tar.zst' cannot be decompressed: it ends too early\"]
[\"no-such.tar.zst\",null,\"cannot open 'no-such.tar.zst': No such file or directory\"]" "JSON has an array"

fails 125 "a folder without one" romsim replay x
is "$out" "romsim: error: there is no case in 'x' (*.tar.zst)" "is told"
fails 125 "a report that cannot be written" romsim replay --junit no/such/r.xml cases
is "$out" "romsim: error: --junit: cannot write 'no/such/r.xml': No such file or directory" \
    "is told before anything is run"

# Who ends it has a report of what had ended by then.  The first case runs for ever, and is cut.
sed 's/echo token.*exit 3/echo begun; sleep 1000000/' app.yaml >long.yaml
ok "a case of an app that runs on" romsim capture -q long.yaml --with-root --for 5s -o long.tar.zst
rm -rf x && mkdir x && tar -C x --zstd -xf long.tar.zst
echo "and more" >>x/console.log # so that its console is never complete
jq --arg sum "sha256:$(sha256sum <x/console.log | cut -c1-64)" '.parts["console.log"] = $sum' \
    x/case.json >head.json && mv head.json x/case.json && tar -C x --zstd -cf long.tar.zst .
"$ROMSIM" replay --for 60m --junit ended.xml long.tar.zst cases/b-same.tar.zst >ended.out 2>&1 &
replay=$!
until compgen -G "$XDG_RUNTIME_DIR/romsim/instances/*" >/dev/null || ! kill -0 $replay 2>/dev/null; do
    sleep 0.1
done
like "$(junit ended.xml)" "long.tar.zst error: it did not end" "before its end the report says so"
kill -TERM $replay
wait $replay
is $? 125 "it ends on a signal"
is "$(junit ended.xml | grep -v said)" "romsim replay 2 0 2
long.tar.zst error: the replay was ended
cases/b-same.tar.zst error: it did not end" "what was not replayed is an error in the report"
like "$(cat ended.out)" "2 cases: 0 the same, 0 with a difference, 2 that could not be run" "and said"
is "$(romsim ps --all --json | jq length)" 0 "no instance is left"
done_testing
