# A libvirt of our own: a daemon that serves a private session, as an ordinary user; nothing outside of the folder is
# touched. For tests that source it with RELIC86 and DIR as their arguments; exit 77: libvirt is not installed.
set -uo pipefail
relic86=$(readlink -f "$1") dir=$2 here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
daemon=$(command -v libvirtd || ls /usr/sbin/libvirtd 2>/dev/null)
if [ -z "$daemon" ] || ! command -v virsh > /dev/null; then
  echo "skipped: libvirtd and virsh are not installed (apt-get install libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients)"
  exit 77
fi
command -v nasm > /dev/null || { echo "skipped: nasm is not installed"; exit 77; }

# Socket paths have at most 107 bytes, and the daemon makes long ones.
work=$(mktemp -d "${TMPDIR:-/tmp}/lv.XXXXXX") && mkdir -p "$work"/{run,config,cache,data} "$dir" || exit 1
user=(env -i PATH="$PATH" HOME="$work" XDG_RUNTIME_DIR="$work/run" XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$work/cache"
      XDG_DATA_HOME="$work/data")
# For root there is only the system's daemon: the session belongs to nobody, who must be able to run the program.
if [ "$(id -u)" = 0 ]; then
  user=(setpriv --reuid 65534 --regid 65534 --clear-groups "${user[@]}")
  chown -R 65534:65534 "$work"
fi
virsh() { "${user[@]}" virsh -c qemu:///session "$@"; }
daemon_pid=() reader=
finish() {
  virsh destroy guest > /dev/null 2>&1
  for each in $reader "${daemon_pid[@]}"; do kill "$each" 2> /dev/null; done
  wait 2> /dev/null
  cp -r "$work/cache/libvirt/qemu/log" "$work"/*.log "$dir" 2> /dev/null
  rm -rf "$work"
}
trap finish EXIT
fail() {
  echo "FAIL: $1"
  tail -n 20 "$work/cache/libvirt/qemu/log/guest.log" "$work/libvirtd.log" 2> /dev/null
  exit 1
}
# check WORDS...: a command of virsh that must succeed.
check() {
  local said
  said=$(virsh "$@" 2>&1) || fail "virsh $*: $said"
  answer=$said
}
# expect TEXT: what the last check said.
expect() { [[ $answer == *"$1"* ]] || fail "'$1' expected, and this came: $answer"; }
# eventually SECONDS COMMAND...: the command succeeds within about that time. Longer than any busy host needs.
eventually() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

"${user[@]}" test -x "$relic86" || { echo "skipped: the session's user cannot run $relic86"; exit 77; }
nasm -f bin -o "$work/disk.raw" "$here/guest.asm" && truncate -s 8M "$work/disk.raw" || fail "the guest cannot be assembled"

"${user[@]}" "$daemon" > "$work/libvirtd.log" 2>&1 &
daemon_pid+=($!)
eventually 60 virsh version > /dev/null 2>&1 || fail "the daemon does not answer"

# The guest's console: what it says, and what it sends back in capitals.
listen() {
  check ttyconsole guest
  console=${answer%%$'\n'*}
  [[ $console == /dev/pts/* ]] || fail "no console: $console"
  [ -z "$reader" ] || kill "$reader" 2> /dev/null
  : > "$work/console.log"
  "${user[@]}" timeout 240 cat "$console" > "$work/console.log" &
  reader=$!
}
says() { grep -q "$1" "$work/console.log"; }
send() { "${user[@]}" tee "$console" <<< "$1" > /dev/null; }
hears() { send hello && sleep 0.5 && says HELLO; }
answers() { listen && eventually 60 hears || fail "the guest does not answer on its console: $(cat "$work/console.log")"; }
off() { [[ $(virsh domstate guest) == "shut off"* ]]; }

# Another daemon, which says that it is on another host: there WORDS... asks it.
start_other_daemon() {
  mkdir -p "$work"/other/{run,config/libvirt,cache,data}
  echo 'host_uuid = "5e9f6c1a-3c0e-4b7f-8a55-0c1d2e3f4a5b"' > "$work/other/config/libvirt/libvirtd.conf"
  [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$work/other"
  other=("${user[@]}" XDG_RUNTIME_DIR="$work/other/run" XDG_CONFIG_HOME="$work/other/config" XDG_CACHE_HOME="$work/other/cache"
         XDG_DATA_HOME="$work/other/data")
  "${other[@]}" "$daemon" > "$work/other.log" 2>&1 &
  daemon_pid+=($!)
  eventually 60 there version > /dev/null 2>&1 || fail "the other daemon does not answer"
}
there() { "${other[@]}" virsh -c qemu:///session "$@"; }
# The running machine goes there. "unsafe": both hosts have the same file, which libvirt cannot know of a folder like this.
move_there() {
  check migrate --live --unsafe --persistent --undefinesource guest "qemu+unix:///session?socket=$work/other/run/libvirt/libvirt-sock" \
    --migrateuri tcp://127.0.0.1 --listen-address 127.0.0.1
  local said
  said=$(there domstate guest 2>&1)
  [[ $said == running* ]] || fail "the machine has not arrived: $said"
  check list --all --name
  [[ $answer != *guest* ]] || fail "the machine is here still"
}
