#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# report.sh: the page of `romsim trace report` in a headless Chromium: maps, timeline, table, search, with
# a mouse and the keyboard; names that would like to be more than text; room and dark.
#
# REPORT_PICTURES=FOLDER keeps pictures of it, for somebody to look at.
. "$(dirname "$0")/clients.bash"
need fuse "the page of a trace" || done_testing
need chromium "the page of a trace" || done_testing
need python3 "the page of a trace" || done_testing

bad='<img src=x onerror=window.pwned=1>'
script='</script><script>window.pwned=2</script>'
mkdir -p base "rom/sub" "rom/${script%/*}" view
echo one >rom/one
head -c 300000 /dev/urandom >rom/sub/big
echo unread >rom/unread
echo x >"rom/$bad"
echo y >"rom/$script"
cat >web.yaml <<'END'
name: traced
image: ./base
args: [/bin/app]
roms:
- {name: config, image: ./rom, at: /rom}
- {name: text, files: [{path: hello, data: hello}], at: /text}
END
romsim mount --trace=t.json --fault rom=text,latency=1ms web.yaml view
cat view/rom/one "view/rom/$bad" "view/rom/$script" >/dev/null
cat view/dev/ukp_rom1 >/dev/null
cat view/rom/Unread view/rom/sub/bgi view/text/hello >/dev/null 2>&1
romsim umount view
# What a start adds (tests/vm/trace.sh sees that it does).
printf '{"kind":"phase","instance":"traced","time_us":%d,"phase":"%s"}\n' 500 qemu 900 '<b>app</b>' >>t.json
ok "a page is made" romsim trace report t.json -o report.html
is "$(grep -c 'http:\|https:\|<img\|url(' report.html)" 0 "it asks for nothing, and has no name as markup"
judge python3 "$HERE/report.py" "$T" ${REPORT_PICTURES:+"$REPORT_PICTURES"}
done_testing
