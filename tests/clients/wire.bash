# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# wire.bash: for the clients that cannot be had (docs/clients.md): what they send, as they send it,
# and what they need in the answer, as far as their public sources and documents show.
#
#     sends TEXT METHOD PATH [BODY] -- sends it as the client does, and checks what it wants of any
#     fits TEXT TABLE               -- each item of the answer has members of these types
#
# A table is a JSON object: "s" a string, "i" an integer, "u" one that is not negative, "b" a
# boolean, "m" strings by name, [TYPE] a list, {…} an object; "!" behind a type: it has to be there.
# Absent and null are the zero value to a client in Go, and another type is an error.
# shellcheck source=tests/clients/clients.bash
. "$(dirname "${BASH_SOURCE[0]}")/clients.bash"

# misfits TABLE: of the items in $out, what does not fit.
misfits() {
    jq -r --argjson table "$1" '
        def misfit($want; $path):
            if ($want | type) == "array" then
                if . == null then empty
                elif type != "array" then "\($path) is no list"
                else to_entries[] | .key as $at | .value | misfit($want[0]; "\($path)[\($at)]") end
            elif ($want | type) == "object" then
                if . == null then empty
                elif type != "object" then "\($path) is no object"
                else . as $object | $want | to_entries[] | .key as $key | .value as $inner |
                    $object[$key] | misfit($inner; "\($path).\($key)") end
            elif . == null then select($want | endswith("!")) | "\($path) is not there"
            else ($want | rtrimstr("!")) as $kind | select(
                if $kind == "s" then type != "string"
                elif $kind == "b" then type != "boolean"
                elif $kind == "i" then type != "number" or floor != .
                elif $kind == "u" then type != "number" or floor != . or . < 0
                elif $kind == "m" then type != "object" or any(.[]; type != "string")
                else true end) | "\($path) is \(tojson), not \($kind)" end;
        .data // {} | to_entries[] | .key as $list | .value | misfit([$table]; $list)' <<<"$out" 2>&1
}

fits() { is "$(misfits "$2")" "" "$1"; }

# eventually COMMAND...: until it succeeds; two minutes are more than anything here takes.
eventually() {
    local tries=0
    until "$@"; do
        [ $((tries += 1)) -lt 600 ] || return 1
        sleep 0.2
    done
}
