# Completion of stemmactl for bash. What fits is told by stemmactl itself, which asks the service
# when that runs; this file only brings bash's words and its answers together.
#
# SPDX-License-Identifier: LGPL-2.1-or-later

# The word as a program would get it: without quotes and backslashes. In _stemmactl_word.
_stemmactl_unquote () {
  local text=$1 quote='' char i
  _stemmactl_word=
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ $quote != "'" && $char == \\ ]]; then
      i=$((i + 1))
      _stemmactl_word+=${text:i:1}
    elif [[ -z $quote && ($char == \' || $char == \") ]]; then
      quote=$char
    elif [[ $char == "$quote" ]]; then
      quote=
    else
      _stemmactl_word+=$char
    fi
  done
}

# bash breaks words at "=" and ":", too: what stands in the line without space between is one word.
# In _stemmactl_words, as they were written, up to the cursor.
_stemmactl_join () {
  local line=${COMP_LINE:0:COMP_POINT} word i
  _stemmactl_words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 0)) && [[ $line == "$word"* && -n $word ]]; then
      _stemmactl_words[-1]+=$word
    else
      line=${line#"${line%%[![:space:]]*}"}
      ((i < COMP_CWORD)) || word=$line
      _stemmactl_words+=("$word")
    fi
    line=${line#"$word"}
  done
}

_stemmactl () {
  local _stemmactl_word typed fixed current=${COMP_WORDS[COMP_CWORD]} line candidate word
  local -a _stemmactl_words=() words=()

  _stemmactl_join
  typed=${_stemmactl_words[-1]}
  for word in "${_stemmactl_words[@]}"; do
    _stemmactl_unquote "$word"
    words+=("$_stemmactl_word")
  done
  # What bash keeps before the word that it replaces.
  [[ $current != [=:] ]] || current=
  fixed=${typed%"$current"}

  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames
      while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
      done < <(compgen -f -- "${words[-1]}")
      continue
    fi
    candidate=${line%%$'\t'*}
    # Within quotes bash wants the name as it is.
    [[ $typed == [\'\"]* ]] || printf -v candidate %q "$candidate"
    COMPREPLY+=("${candidate#"$fixed"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}

complete -F _stemmactl stemmactl
