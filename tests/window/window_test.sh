#!/bin/bash
# window_test.sh RELIC86 BOOT_SECTOR CLIPBOARD_OWNER: shows screen.asm's pictures in the window under Xvfb, looks at
# pixels, and types with xdotool. Exit code 77: a tool is missing. On failure the last screenshot and log stay behind.
set -u
relic86=$1 sector=$2 clipboard_owner=$3
for tool in Xvfb xdotool import convert; do
  command -v $tool >/dev/null || { echo "skipped: $tool is not installed (apt-get install xvfb xdotool imagemagick)"; exit 77; }
done
work=$(mktemp -d)
pids=()
clean_up() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

cp "$sector" "$work/floppy.img"
truncate -s 1474560 "$work/floppy.img"
# Xvfb picks a free display number itself and writes it down.
Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>"$work/display" >/dev/null 2>&1 &
pids+=($!)

# within SECONDS COMMAND...: repeats the command until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
has_display() { [ -s "$work/display" ]; }
within 20 has_display || { echo "Xvfb does not start"; exit 1; }
DISPLAY=:$(cat "$work/display")
export DISPLAY
unset WAYLAND_DISPLAY SDL_VIDEODRIVER

monitor() { # monitor COMMAND: its answer
  timeout 5 python3 -c '
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\n")
connection.settimeout(2)
text = b""
try:
    while True:
        piece = connection.recv(65536)
        if not piece: break
        text += piece
        # A prompt may be that of the greeting: the answer follows at once.
        if text.endswith(b"(qemu) "): connection.settimeout(0.15)
except TimeoutError:
    pass
sys.stdout.write(text.decode("utf-8", "replace").replace("\r", ""))' "$work/monitor" "$1" 2>/dev/null
}
shows() { monitor screentext | grep -qF -- "$1"; }
pixel() { convert "$work/shot.png" -format "%[hex:u.p{$1,$2}]" info: | cut -c1-6; }
# pixels_are X Y RRGGBB ...: takes a picture of the window and compares.
pixels_are() {
  import -window "$window" "$work/shot.png" 2>/dev/null || return 1
  while [ $# -gt 0 ]; do
    [ "$(pixel "$1" "$2")" = "$3" ] || return 1
    shift 3
  done
}
size_is() { [ "$(xdotool getwindowgeometry "$window" | sed -n 's/.*Geometry: //p')" = "$1" ]; }
title_has() { xdotool getwindowname "$window" | grep -qF -- "$1"; }
find_window() {
  window=$(xdotool search --name 'relic86 - window test' 2>/dev/null | head -n 1)
  [ -n "$window" ]
}
close_button() { "$(dirname "$0")/close_button" "$window"; }
start() { # start OPTION...: a machine in a window with the focus, at the greeting
  "$relic86" -m 16 -fda "$work/floppy.img" -boot a -name 'window test' -monitor "unix:$work/monitor,server,nowait" \
    --timeout 120 "$@" 2>"$work/stderr" &
  machine=$!
  pids+=($machine)
  within 20 find_window || { cat "$work/stderr"; echo "FAILED: no window appears"; exit 1; }
  xdotool windowfocus "$window"
  within 40 shows READY || fail "the guest does not start: $(monitor screentext)"
}
ends_with() { # ends_with CODE: the machine ends by itself
  local code
  gone() { ! kill -0 $machine 2>/dev/null; }
  within 10 gone || { fail "the machine does not end"; return; }
  wait $machine
  code=$?
  [ $code -eq "$1" ] || fail "exit code $code, not $1"
  [ ! -s "$work/stderr" ] || fail "on stderr: $(cat "$work/stderr")"
}

# Text, pixel for pixel: the cell in the corner is 9x16 pixels of white, its neighbours are black.
start
within 10 size_is 720x400 || fail "a text screen's window is not 720x400"
within 10 pixels_are 0 0 FFFFFF 7 15 FFFFFF 9 0 000000 0 16 000000 10 100 000000 || fail "the text screen's pixels"
within 5 title_has 'relic86 - window test (running, ' || fail "the title: $(xdotool getwindowname "$window")"

# Keys: letters, shifted ones, and keys without a character, told by their scan codes.
xdotool type --delay 50 'Hello, world_42!'
within 5 shows 'Hello, world_42!' || fail "typed text does not arrive: $(monitor screentext)"
xdotool key --delay 50 Return Left Page_Up Insert F5 F12 alt+x shift+F1 ctrl+Home KP_Up
within 5 shows '<4B><49><52><3F><86><2D><54><77><48>' || fail "special keys do not arrive: $(monitor screentext)"
# A held key repeats at the guest's rate: typematic starts after half a second, the X server's repeat is dropped.
xdotool key Return; xdotool keydown z; sleep 0.2; xdotool keyup z; sleep 0.3
shows 'zz' && fail "the host's key repeat reaches the guest"
shows 'z' || fail "a held key does not arrive"

# Pasted text.
"$clipboard_owner" 'Pasted: (a+b)*{C} ~ "q" \ | 100%' >"$work/offered" 2>/dev/null &
pids+=($!)
offered() { [ -s "$work/offered" ]; }
within 10 offered || fail "no clipboard"
xdotool key Return
xdotool key ctrl+alt+v
within 20 shows 'Pasted: (a+b)*{C} ~ "q" \ | 100%' || fail "pasted text does not arrive: $(monitor screentext)"

# Mouse grab.
xdotool mousemove --window "$window" 300 200 click 1
within 5 title_has 'Ctrl+Alt+G frees' || fail "a click does not grab"
xdotool key ctrl+alt+g
within 5 title_has 'grabs the mouse' || fail "Ctrl+Alt+G does not free"

# Graphics: four coloured quarters, twice as large as 320x240; the window follows the mode.
xdotool key F2
within 10 size_is 640x480 || fail "the window does not follow the mode"
within 10 pixels_are 5 5 0000AA 318 238 0000AA 321 5 00AA00 5 300 AA0000 635 475 FFFFFF || fail "the graphics screen's pixels"
# Another window size: letterboxed, in the true shape.
sleep 1
xdotool windowsize "$window" 900 480
within 10 pixels_are 64 240 000000 135 5 0000AA 764 470 FFFFFF 835 240 000000 || fail "the letterbox"
xdotool key F3
within 5 pixels_are 90 40 FFFFFF 89 40 000000 98 55 FFFFFF 99 40 000000 || fail "text in a larger window"
size_is 900x480 || fail "the user's window size is not kept"

# Full screen, where no window manager helps, and back.
is_full_screen() { size_is 1024x768 && xdotool getwindowgeometry "$window" | grep -q 'Position: 0,0'; }
xdotool key ctrl+alt+f
within 5 is_full_screen || fail "Ctrl+Alt+F does not cover the screen: $(xdotool getwindowgeometry "$window")"
xdotool key F2
within 10 pixels_are 0 380 0000AA 1023 390 FFFFFF 0 767 AA0000 || fail "the picture does not fill the screen: $(convert "$work/shot.png" -crop 1024x1+0+384 -unique-colors txt: | head -5)"
xdotool key ctrl+alt+f
within 5 size_is 900x480 || fail "Ctrl+Alt+F does not go back: $(xdotool getwindowgeometry "$window")"

# Pause.
xdotool key ctrl+alt+p
within 5 title_has '(paused)' || fail "Ctrl+Alt+P does not pause"
xdotool key ctrl+alt+p
within 5 title_has '(running' || fail "Ctrl+Alt+P does not continue"

# This guest does not listen to the power button: it is ended at once.
xdotool key ctrl+alt+q
ends_with 0

# A guest that listens to its power button is sent it; what becomes of the machine is the guest's business.
start
xdotool key F6
within 5 shows WAITS || fail "the guest does not wait for its power button: $(monitor screentext)"
xdotool key ctrl+alt+q
within 5 shows PRESSED || fail "Ctrl+Alt+Q is not seen by the guest: $(monitor screentext)"
within 5 title_has '(running' || fail "the machine does not go on: $(xdotool getwindowname "$window")"
# A closed window ends the machine in order.
close_button
ends_with 0

# The monitor and signals close the window too.
start
monitor quit >/dev/null
ends_with 0
start
kill -TERM $machine
ends_with 0

# All of this within the sandbox, at its strictest.
refused=$("$relic86" -display none -S --timeout 0.01 -sandbox on 2>&1)
if [[ $refused = *libseccomp* || $refused = *'takes no filter'* || $refused = *'has no Landlock'* ]]; then
  echo "the sandbox is left out: $refused"
else
  start -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
  grep -q '^Seccomp:[[:space:]]*2$' "/proc/$machine/status" || fail "no filter of system calls: $(grep Seccomp "/proc/$machine/status")"
  within 10 pixels_are 0 0 FFFFFF 7 15 FFFFFF 9 0 000000 || fail "the sandboxed window's text"
  xdotool type --delay 50 'inside'
  within 5 shows 'inside' || fail "keys do not arrive in the sandbox: $(monitor screentext)"
  xdotool key Return
  xdotool key ctrl+alt+v
  within 20 shows 'Pasted: (a+b)*{C} ~ "q" \ | 100%' || fail "pasted text does not arrive in the sandbox: $(monitor screentext)"
  xdotool key F2
  within 10 size_is 640x480 || fail "the sandboxed window does not follow the mode"
  within 10 pixels_are 5 5 0000AA 635 475 FFFFFF || fail "the sandboxed window's picture"
  monitor "screendump $work/inside.ppm" >/dev/null
  [ "$(convert "$work/inside.ppm" -format '%[hex:u.p{5,5}]' info: | cut -c1-6)" = 0000AA ] || fail "screendump in the sandbox"
  xdotool key ctrl+alt+f
  within 5 is_full_screen || fail "no full screen in the sandbox"
  close_button
  ends_with 0
fi

# No display: an error if a window was asked for; else headless, with a warning that says so.
env -u DISPLAY timeout 20 "$relic86" -display sdl -m 16 >"$work/out" 2>&1 && fail "-display sdl without a display succeeds"
grep -q 'relic86: -display sdl: .*-display none' "$work/out" || fail "its message: $(cat "$work/out")"
env -u DISPLAY "$relic86" -m 16 -fda "$work/floppy.img" -boot a --expect-screen READY --timeout 60 >"$work/out" 2>&1 ||
  fail "a run without a display: $(cat "$work/out")"
[ "$(wc -l < "$work/out")" = 1 ] && grep -q '^warning: no window: .*-display none' "$work/out" ||
  fail "a run without a display prints: $(cat "$work/out")"

[ $failures -eq 0 ] && echo "window: all checks passed"
exit $((failures > 0))
