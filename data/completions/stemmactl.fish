# Completion of stemmactl for fish. What fits is told by stemmactl itself, which asks the service when
# that runs.
#
# SPDX-License-Identifier: LGPL-2.1-or-later

function __stemmactl_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    set -l plain (string unescape -- $current 2>/dev/null; or printf '%s\n' $current)
    for line in ($program __complete $words "$plain" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$plain"
        else
            printf '%s\n' $line
        end
    end
end

complete -c stemmactl -f -a '(__stemmactl_complete)'
