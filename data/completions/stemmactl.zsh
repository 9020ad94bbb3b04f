#compdef stemmactl
# Completion of stemmactl for zsh. What fits is told by stemmactl itself, which asks the service when
# that runs.
#
# SPDX-License-Identifier: LGPL-2.1-or-later

local line name
local -a lines candidates

lines=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
for line in $lines; do
  if [[ $line == :files ]]; then
    _files
    continue
  fi
  # A colon parts name and description.
  name=${${line%%$'\t'*}//:/\\:}
  if [[ $line == *$'\t'* ]]; then
    candidates+=("$name:${line#*$'\t'}")
  else
    candidates+=("$name")
  fi
done
(( ! $#candidates )) || _describe stemmactl candidates
