# Completion of relic86's options for bash. The options are what the installed program lists.
_relic86() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $before in
    -cpu) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" -cpu help 2>/dev/null | awk '{ print $1 }')" -- "$word") ;;
    -device) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" -device help 2>/dev/null | grep -oE 'name "[^"]+"' | cut -d'"' -f2)" -- "$word") ;;
    -accel) mapfile -t COMPREPLY < <(compgen -W 'jit interp' -- "$word") ;;
    -vnc) [ -n "$word" ] || mapfile -t COMPREPLY < <(compgen -W ':1 :1,password=on :1,websocket=on unix: none' -- "$word") ;;
    -display) mapfile -t COMPREPLY < <(compgen -W 'sdl vnc=:1 none' -- "$word") ;;
    *)
      if [[ $word = -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" -help 2>/dev/null | grep -oE '^--?[A-Za-z][A-Za-z0-9_-]*')" -- "$word")
      fi
      ;;
  esac
  [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _relic86 relic86
