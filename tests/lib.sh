# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# lib.sh: what the whole-program tests share.  A test sources it and speaks TAP through it:
#
#     . "$(dirname "$0")/../lib.sh"
#     ok "a good file is accepted silently" romsim check good.yaml
#     is "$(romsim plan x.yaml | head -1)" "instance x" "the plan starts with the name"
#     fails 1 "a bad file is refused" romsim check bad.yaml ; like "$out" "bad.yaml:3:5" "with its place"
#     if need fuse "the mount shows the ROM"; then ...; fi
#     done_testing
#
# Every test runs in a scratch folder of its own, with its own XDG folders, and both are removed
# at the end, mounts first.

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
ROMSIM=$BUILD/romsim
SAMPLES=$ROOT/samples
DATA=$ROOT/tests/data
T=$(mktemp -d "${TMPDIR:-/tmp}/romsim-test.XXXXXX")
export XDG_CACHE_HOME=$T/.xdg/cache XDG_DATA_HOME=$T/.xdg/data XDG_RUNTIME_DIR=$T/.xdg/run
mkdir -p -m 700 "$XDG_CACHE_HOME" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR"
# Not what this machine has for all its users.
export ROMSIM_SHARED_STORE=
export LC_ALL=C.UTF-8
# Reports of sanitizers: a folder for each test (tests/run).
if [ -n "${FINDINGS:-}" ]; then
    mkdir -p -m 1777 "$FINDINGS/${0##*/}"
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$FINDINGS/${0##*/}/report"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$FINDINGS/${0##*/}/report"
fi
cd "$T" || exit 1
count=0
failed=0
out=

cleanup() {
    local status=$?
    cd /
    # A test that is ended before its own end leaves none either: a guest would run for ever.
    if compgen -G "$XDG_RUNTIME_DIR/romsim/instances/*" >/dev/null; then
        timeout 60 "$ROMSIM" rm --all >/dev/null 2>&1
    fi
    # Deepest mounts first; a mount that is left behind would make rm enter it.
    awk -v t="$T/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r point; do umount -l "$point" 2>/dev/null || fusermount3 -uz "$point"; done
    rm -rf --one-file-system "$T"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

romsim() { "$ROMSIM" "$@"; }

pass() { count=$((count + 1)); echo "ok $count - $1"; }
fail() {
    count=$((count + 1)); failed=$((failed + 1))
    echo "not ok $count - $1"
    shift
    [ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
}

# ok TEXT COMMAND...: the command succeeds.  Its output (both streams) is in $out.
ok() {
    local text=$1 status; shift
    out=$("$@" 2>&1); status=$?
    if [ $status = 0 ]; then pass "$text"; else fail "$text" "status $status from: $*" "$out"; fi
}

# fails STATUS TEXT COMMAND...: the command ends with this status.
fails() {
    local want=$1 text=$2 status; shift 2
    out=$("$@" 2>&1); status=$?
    if [ $status = "$want" ]; then pass "$text"
    else fail "$text" "status $status, not $want, from: $*" "$out"; fi
}

# provoked COMMAND...: runs a command under a limit that was set on purpose, to which sanitizers
# have something to say, too, which is no finding: they say it on stderr.
provoked() {
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=stderr" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=stderr" "$@"
}

# is GOT WANT TEXT
is() {
    if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "got:    $1" "wanted: $2"; fi
}

# like TEXT-TO-SEARCH PIECE TEXT: the piece (a plain string) is in it.
like() {
    case $1 in *"$2"*) pass "$3" ;; *) fail "$3" "no '$2' in:" "$1" ;; esac
}

unlike() {
    case $1 in *"$2"*) fail "$3" "'$2' is in:" "$1" ;; *) pass "$3" ;; esac
}

# same FILE FILE TEXT
same() {
    local difference
    if difference=$(diff -u "$1" "$2" 2>&1); then pass "$3"; else
        fail "$3" "$(printf '%s\n' "$difference" | head -40)"; fi
}

# uncoded: standard input without the codes ("[R017]") behind errors and warnings.
uncoded() { sed -E 's/ \[R[0-9]{3}\]$//'; }

# fake_program PATH: the first bytes of a static program, which `check` and `plan` take for one.
fake_program() {
    mkdir -p "$(dirname "$1")"
    { printf '\177ELF\2\1\1'; head -c 11 /dev/zero; printf '\076\0'; head -c 44 /dev/zero; } >"$1"
    chmod 755 "$1"
}

# silent_kernel FILE: makes a kernel that never says a word.  Fails without an assembler.
silent_kernel() {
    as --64 -o "$1.o" - <<'END' 2>/dev/null && ld -Ttext 0x200000 -e start -o "$1" "$1.o" 2>/dev/null
.section .note.pvh, "a"
.long 4, 4, 18
.asciz "Xen"
.long start
.text
.globl start
start: hlt
    jmp start
END
}

# make_entries DIR: makes what the entries on standard input say: NAME/, NAME=TEXT, NAME->TARGET.
make_entries() {
    local entry
    while read -r entry; do
        case $entry in
        *'->'*) mkdir -p "$(dirname "$1/${entry%%->*}")" && ln -s "${entry#*->}" "$1/${entry%%->*}" ;;
        *=*) mkdir -p "$(dirname "$1/${entry%%=*}")" && printf %s "${entry#*=}" >"$1/${entry%%=*}" ;;
        *) mkdir -p "$1/$entry" ;;
        esac
    done
}

# skip TEXT REASON: says out loud that something was not tested.
skip() { count=$((count + 1)); echo "ok $count - $1 # SKIP $2"; }

# docker_archive FILE FOLDER CONFIG [ARCHITECTURE]: what `docker save` would write of an image with this root and
# this config (JSON).
docker_archive() {
    local parts
    parts=$(mktemp -d "$T/archive.XXXXXX")
    tar -C "$2" -cf "$parts/layer.tar" .
    printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "${4:-amd64}" "$3" "$(sha256sum <"$parts/layer.tar" | cut -c1-64)" >"$parts/config.json"
    echo '[{"Config":"config.json","RepoTags":["x:y"],"Layers":["layer.tar"]}]' >"$parts/manifest.json"
    tar -C "$parts" -cf "$1" manifest.json config.json layer.tar
    rm -r "$parts"
}

# free_port: one that nobody has now.  It is none of those that the kernel hands out, to any program on
# the machine and to romsim: such a one may be somebody else's by the time it is used.  And it is drawn,
# so that two tests that run at the same time do not get the same.
free_port() {
    python3 -c 'import random, socket
first, last = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
others = [port for port in range(16384, 65536) if not first <= port <= last] or range(16384, 65536)
while True:
    port = random.choice(others)
    with socket.socket() as s:
        try: s.bind(("", port))
        except OSError: continue
    print(port)
    break'
}

# can CAPABILITY: does this machine have it?  Else the reason is in $why.
can() {
    why=
    case $1 in
    root) [ "$(id -u)" = 0 ] || why="not root" ;;
    fuse) { [ -r /dev/fuse ] && [ -w /dev/fuse ]; } || why="/dev/fuse cannot be opened" ;;
    loop) can root && { grep -qw erofs /proc/filesystems || modprobe -q erofs; } &&
        [ -e /dev/loop-control ] || why="no loop mounts of EROFS here" ;;
    guest) { [ -e "$ROOT/build/guest/initrd" ] && command -v qemu-system-x86_64 >/dev/null; } ||
        why="no guest bundle or no QEMU" ;;
    user) can root && id nobody >/dev/null || why="cannot become an ordinary user" ;;
    *) command -v "$1" >/dev/null || why="no $1 on this machine" ;;
    esac
    [ -z "$why" ]
}

# need CAPABILITY TEXT: true if it is there; else the skip is said (MUST_RUN=1: a failure).
need() {
    can "$1" && return 0
    if [ "${MUST_RUN:-0}" = 1 ] && [ "$1" != kvm ]; then
        fail "$2" "MUST_RUN=1, but $why"
    else
        skip "$2" "$why"
    fi
    return 1
}

done_testing() {
    echo "1..$count"
    [ "$failed" = 0 ]
    exit $?
}
