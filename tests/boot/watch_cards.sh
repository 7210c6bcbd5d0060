# A guest's script: tells of each disk and network card that comes or goes. A disk is read, a card asks for an address.
echo WATCHING
known=
while sleep 0.1; do
  for path in /sys/block/vd* /sys/class/net/eth*; do
    name=${path##*/}
    [ -e $path ] || continue
    case " $known " in *" $name "*) continue ;; esac
    known="$known $name"
    case $name in
      vd*) echo "DISK $name $(cat $path/size) $(md5sum < /dev/$name)" ;;
      *) ifconfig $name up; echo "CARD $name $(cat $path/address) $(ls -l $path/device/driver | sed 's/.*drivers.//')"
         udhcpc -i $name -s /lease -n -q -t 10 ;;
    esac
  done
  left=
  for name in $known; do
    if [ -e /sys/block/$name ] || [ -e /sys/class/net/$name ]; then left="$left $name"; else echo "GONE $name"; fi
  done
  known=$left
done
