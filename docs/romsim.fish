# SPDX-License-Identifier: BSD-3-Clause
# fish completion for romsim(1): the program itself knows what could stand there, and prints nothing
# where file names are to be offered.

function __romsim_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l candidates ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if set -q candidates[1]
        printf '%s\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c romsim -f -a '(__romsim_complete)'
