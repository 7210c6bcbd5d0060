#include "options/foreign_options.h"

#include <algorithm>

namespace relic86 {

namespace {

using enum ForeignOption::Answer;

// Accept: what the option asks for is so anyway, or is about the host only and cannot be noticed by the guest.
constexpr ForeignOption kForeign[] = {
    {"no-user-config", false, Accept, ""},
    {"nodefconfig", false, Accept, ""},
    {"win2k-hack", false, Accept, ""},
    {"singlestep", false, Accept, ""},
    {"one-insn-per-tb", false, Accept, ""},
    {"mem-prealloc", false, Accept, ""},
    {"mem-path", true, Accept, ""},
    {"overcommit", true, Accept, ""},
    {"async-teardown", false, Accept, ""},
    {"only-migratable", false, Accept, ""},
    {"enable-sync-profile", false, Accept, ""},
    {"portrait", false, Accept, ""},  // of other machines' displays, and QEMU's PC does not turn its picture either
    {"rotate", true, Accept, ""},
    {"no-quit", false, Accept, ""},  // old words about windows
    {"no-frame", false, Accept, ""},
    {"alt-grab", false, Accept, ""},
    {"ctrl-grab", false, Accept, ""},
    {"tdf", false, Accept, ""},
    {"rtc-td-hack", false, Accept, ""},
    {"no-kvm-irqchip", false, Accept, ""},
    {"no-kvm-pit", false, Accept, ""},
    {"no-kvm-pit-reinjection", false, Accept, ""},
    {"kvm-shadow-memory", true, Accept, ""},
    {"realtime", true, Accept, ""},
    {"enable-fips", false, Accept, ""},
    {"msg", true, Accept, ""},
    {"tb-size", true, Accept, ""},
    {"show-cursor", false, Accept, ""},
    {"g", true, Accept, ""},  // a hint to old display adapters
    {"dfilter", true, Warn, "the log is not filtered by address; -d in_asm,exec log every one"},
    {"no-acpi", false, Warn, "the machine keeps its ACPI tables; a Linux guest takes acpi=off on its command line"},
    {"smbios", true, Warn, "the firmware makes the SMBIOS tables itself; they stay as they are"},
    {"acpitable", true, Refuse, "the firmware makes the ACPI tables itself; leave the option out"},
    {"enable-kvm", false, Refuse,
     "relic86 is pure software and never uses KVM; leave the option out, or say -accel tcg"},
    {"enable-hvf", false, Refuse, "relic86 is pure software; leave the option out, or say -accel tcg"},
    {"enable-hax", false, Refuse, "relic86 is pure software; leave the option out, or say -accel tcg"},
    {"no-kvm", false, Accept, ""},
    {"soundhw", true, Refuse,
     "gone from QEMU, too; write -device sb16 (or adlib, AC97, ES1370, intel-hda) and -audiodev"},
    {"curses", false, Refuse,
     "there is no curses display; -nographic shows the serial console, 'screentext' the screen"},
    {"spice", true, Refuse, "there is no SPICE server; -display sdl shows a window"},
    {"sd", true, Refuse, "there is no SD card slot; use -hda FILE"},
    {"mtdblock", true, Refuse, "there is no flash memory; use -hda FILE"},
    {"tpmdev", true, Refuse, "there is no TPM; leave the option out"},
    {"watchdog", true, Refuse, "QEMU 7.2 has it no more; -device i6300esb or ib700 is a watchdog"},
    {"readconfig", true, Refuse, "configuration files are not read; put the options on the command line"},
    {"writeconfig", true, Refuse, "configuration files are not written; put the options on the command line"},
    {"dtb", true, Refuse, "PCs have no device tree; leave the option out"},
    {"virtfs", true, Refuse, "there is no 9P device; -drive file=fat:FOLDER shows a folder of the host as a disk"},
    {"fsdev", true, Refuse, "there is no 9P device; -drive file=fat:FOLDER shows a folder of the host as a disk"},
    {"semihosting", false, Refuse, "x86 has no semihosting; -device isa-debug-exit sets the exit code"},
    {"runas", true, Refuse, "the program does not change its user; start it with sudo -u USER"},
    {"chroot", true, Refuse, "the program does not change its root folder; start it with chroot DIR"},
    {"add-fd", true, Refuse, "open files are not handed over in sets; name the file, or /dev/fd/N"},
    {"numa", true, Refuse, "all memory is one node; leave the option out"},
    {"iscsi", true, Refuse, "there is no iSCSI initiator; attach the target to the host and name its /dev node"},
    {"plugin", true, Refuse, "there are no plugins; -d LIST -D FILE logs, -gdb serves a debugger"},
    {"dump-vmstate", true, Refuse, "a state is not QEMU's here; 'info state' in the monitor prints a machine's state"},
    {"xen-domid", true, Refuse, "relic86 is pure software and never uses Xen; leave the option out"},
    {"xen-attach", false, Refuse, "relic86 is pure software and never uses Xen; leave the option out"},
    {"xen-domid-restrict", false, Refuse, "relic86 is pure software and never uses Xen; leave the option out"},
    {"xen-create", false, Refuse, "relic86 is pure software and never uses Xen; leave the option out"},
    {"prom-env", true, Refuse, "PCs have no OpenBIOS; leave the option out"},
    {"old-param", false, Refuse, "it belongs to ARM machines; leave the option out"},
    {"semihosting-config", true, Refuse, "x86 has no semihosting; -device isa-debug-exit sets the exit code"},
    {"bt", true, Refuse, "there is no Bluetooth; leave the option out"},
    {"balloon", true, Accept, "", "none"},
    {"redir", true, Refuse, "is of an old version of QEMU; write -nic user,hostfwd=tcp::HOST_PORT-:GUEST_PORT"},
    {"tftp", true, Refuse, "is of an old version of QEMU; write -nic user,tftp=FOLDER"},
    {"smb", true, Refuse, "there is no SMB server; share files over HTTP, or with -nic user,tftp=FOLDER"},
    {"bootp", true, Refuse, "is of an old version of QEMU; write -nic user,bootfile=FILE"},
    {"nand", true, Refuse, "there is no flash memory; use -hda FILE"},
    {"qtest", true, Refuse, "there is no test protocol; -qmp and -gdb control a machine"},
    {"qtest-log", true, Refuse, "there is no test protocol; -d LIST -D FILE logs"},
    {"run-with", true, Refuse, "is of newer versions of QEMU; start the program with setpriv or chroot instead"},
    {"shim", true, Refuse, "OVMF of this version knows no shim by it; leave the option out"},
    {"preconfig", false, Refuse, "machines cannot be changed before they start; -S waits before the first instruction"},
};

}  // namespace

const ForeignOption* find_foreign_option(std::string_view name) {
  const auto* row = std::find_if(std::begin(kForeign), std::end(kForeign),
                                 [&](const ForeignOption& option) { return option.name == name; });
  return row == std::end(kForeign) ? nullptr : row;
}

}  // namespace relic86
