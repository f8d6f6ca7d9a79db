# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# pages.sh: walks a page of docs as its reader would; tests/page.py has what may stand in one.
#
#     . "$(dirname "$0")/../lib.sh"
#     . "$ROOT/tests/pages.sh"
#     walk_page docs/reproduce.md
#
# All commands of a page are run one after another by this shell, in a scratch folder that has the
# checkout's build and samples in it, with `romsim` in PATH.  A line that stands below a command has to
# be one of its output, in their order; "..." in it is anything.

unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
PATH=$BUILD:$PATH
no_proxy=127.0.0.1
export no_proxy PATH

# Seconds, ports, and what romsim says of the machine, differ from run to run.
plain() { sed -E 's/[0-9]+\.[0-9] s /N s /g; s/^-:[0-9]+:/-:N:/; s/(127\.0\.0\.1:)[0-9]+/\1PORT/g'; }

# await TEXT COMMAND...: runs it until it says this, for what a reader sees coming.
await() {
    local tries=0 said
    until said=$("${@:2}" 2>&1); [[ $said == *"$1"* ]]; do
        [ $((tries += 1)) -lt 240 ] || { echo "$said"; return 1; }
        sleep 0.5
    done
}

# shows OUTPUT LINES: all lines of a file are in the other one, in their order.
shows() {
    local line got
    while IFS= read -r line; do
        line=$(printf '%q' "$line")
        line=${line//.../*}
        while :; do
            IFS= read -r -u 3 got || [ -n "$got" ] || { echo "no such line, or not there: $line"; return 1; }
            # shellcheck disable=SC2053 # a pattern, of what was quoted
            eval "[[ \$got == $line ]]" && break
        done
    done 3< <(plain <"$1") < <(plain <"$2")
}

# end_stayers: ends what a page left running.
end_stayers() {
    local pid
    for pid in $stayers; do
        kill -TERM -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    stayers=
}

# stay COMMAND OUTPUT LINES: starts it, and waits for the lines; $why has what is missing.
stay() {
    local tries=0
    : >"$2"
    setsid bash -c "$1" >"$2" 2>&1 </dev/null &
    stayers+=" $!"
    until why=$(shows "$2" "$3"); do
        { kill -0 $! 2>/dev/null && [ $((tries += 1)) -lt 600 ]; } || return 1
        sleep 0.2
    done
}

# walk_step STEP KIND: one of page.py's steps.
walk_step() {
    local n=$1 kind=$2 command status why text
    command=$(cat "$n.$kind")
    text=${command%%$'\n'*}
    case $kind in
    file)
        mkdir -p "$(dirname "$(cat "$n.name")")"
        cp "$n.file" "$(cat "$n.name")"
        return ;;
    skip) echo "# not run here: $text ($(cat "$n.why"))"; return ;;
    end) end_stayers; return ;;
    stays)
        if stay "$command" "$n.out" "$n.lines"; then pass "$text"
        else fail "$text" "$why" "$(tail -n 20 "$n.out")"; fi
        return ;;
    esac
    eval "$command" >"$n.out" 2>&1 </dev/null
    status=$?
    [ "$kind" != fails ] || status=0
    [ "$kind" != hidden ] || : >"$n.lines"
    if [ $status != 0 ]; then fail "$text" "its status is $status" "$(tail -n 20 "$n.out")"
    elif why=$(shows "$n.out" "$n.lines"); then pass "$text"
    else fail "$text" "$why" "$(tail -n 20 "$n.out")"; fi
}

# walk_page PAGE: PAGE is a path in the checkout.
walk_page() {
    local steps scratch file n problems
    echo "# $1"
    steps=$(mktemp -d "$T/steps.XXXXXX")
    scratch=$(mktemp -d "$T/page.XXXXXX")
    problems=$(python3 "$ROOT/tests/page.py" "$ROOT/$1" "$steps")
    is "$problems" "" "$1: all that looks like a command is run, or says why not"
    # The program may be a sanitized one; the samples and the guest stand in one place for all.
    mkdir "$scratch/build"
    ln -s "$BUILD/romsim" "$ROOT"/build/{samples,guest} "$scratch/build"
    ln -s "$SAMPLES" "$scratch/samples"
    cd "$scratch" || exit 1
    stayers=
    for file in "$steps"/*.{run,hidden,fails,stays,file,skip,end}; do
        [ -e "$file" ] && basename "$file"
    done | sort >"$steps/order"
    while IFS=. read -r n kind <&4; do walk_step "$steps/$n" "$kind"; done 4<"$steps/order"
    end_stayers
    ok "$1: nothing is left that a reader would not remove" romsim rm --all
    cd "$T" || exit 1
}
