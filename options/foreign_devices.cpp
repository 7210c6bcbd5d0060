#include "options/foreign_devices.h"

#include "base/types.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kNoNetwork =
    "there is no such network card; e1000, rtl8139, pcnet, ne2k_pci, virtio-net-pci and ne2k_isa exist";
constexpr Text kNoUsb = "there is no such USB device; usb-tablet, usb-mouse, usb-kbd, usb-hub and usb-storage exist";
constexpr Text kNoUsbController = "there is no such USB controller; -usb adds a UHCI, and -device qemu-xhci an xHCI";
constexpr Text kNoVirtio =
    "there is no such virtio device; virtio-blk-pci, virtio-net-pci, virtio-rng-pci, virtio-balloon-pci, "
    "virtio-serial-pci and virtio-scsi-pci exist";
constexpr Text kNoSound = "there is no such sound card; sb16, adlib, mpu401, AC97, ES1370 and intel-hda exist";
constexpr Text kNoScsi = "there is no such SCSI controller; -device virtio-scsi-pci is one, with -device scsi-hd";
constexpr Text kNoNvme =
    "there is no NVMe controller; disks are IDE or SATA (-hda FILE), or virtio (-device virtio-blk-pci)";
constexpr Text kNoDisplay = "there is no such display adapter; -vga std and -vga cirrus exist";
constexpr Text kNoBridge = "there is one PCI bus; leave the option out";
constexpr Text kNoPci = "it does not exist here; leave the option out";

// By how a name begins; the longer beginning stands before the shorter one.
struct Row {
  Text beginning;
  Text reason;
};
constexpr Row kRows[] = {
    {"virtio-gpu", kNoDisplay},
    {"virtio-vga", kNoDisplay},
    {"virtio", kNoVirtio},
    {"vhost", kNoVirtio},
    {"e1000", kNoNetwork},
    {"rtl8139", kNoNetwork},
    {"pcnet", kNoNetwork},
    {"i8255", kNoNetwork},
    {"i8254", kNoNetwork},
    {"i8256", kNoNetwork},
    {"i8280", kNoNetwork},
    {"igb", kNoNetwork},
    {"tulip", kNoNetwork},
    {"vmxnet3", kNoNetwork},
    {"rocker", kNoNetwork},
    {"usb-", kNoUsb},
    {"piix4-usb", kNoUsbController},
    {"ich9-usb", kNoUsbController},
    {"pci-ohci", kNoUsbController},
    {"nec-usb", "there is no such USB controller; -device qemu-xhci is an xHCI"},
    {"vt82c686b-usb", kNoUsbController},
    {"u2f", kNoUsb},
    {"ccid", kNoUsb},
    {"ac97", "the device is written AC97"},
    {"es1370", "the device is written ES1370"},
    {"cs4231a", kNoSound},
    {"gus", kNoSound},
    {"hda-", "there is no such codec; hda-output, hda-duplex and hda-micro exist"},
    {"am53c974", kNoScsi},
    {"dc390", kNoScsi},
    {"lsi", kNoScsi},
    {"megasas", kNoScsi},
    {"mptsas", kNoScsi},
    {"pvscsi", kNoScsi},
    {"scsi-cd", "there is no SCSI CD-ROM drive; -device ide-cd is one on IDE"},
    {"scsi-block", "no device of the host is passed through; -device scsi-hd takes an image"},
    {"scsi-generic", "no device of the host is passed through; -device scsi-hd takes an image"},
    {"nvme", kNoNvme},
    {"sdhci", "there is no SD card slot; use -hda FILE"},
    {"sd-card", "there is no SD card slot; use -hda FILE"},
    {"isa-cirrus-vga", kNoDisplay},
    {"isa-vga", kNoDisplay},
    {"vmware-svga", kNoDisplay},
    {"qxl", kNoDisplay},
    {"bochs-display", kNoDisplay},
    {"ramfb", kNoDisplay},
    {"secondary-vga", kNoDisplay},
    {"ati-vga", kNoDisplay},
    {"pci-bridge", kNoBridge},
    {"pcie-", "there is no such bridge; -device pcie-root-port is the place of a card of a q35"},
    {"i82801b11-bridge", kNoBridge},
    {"ioh3420", kNoBridge},
    {"pxb", kNoBridge},
    {"dmi-", kNoBridge},
    {"x3130", kNoBridge},
    {"xio3130", kNoBridge},
    {"pci-serial", "serial ports are on the ISA bus: -device isa-serial, or -serial DEV"},
    {"tpm-", "there is no TPM; leave the option out"},
    {"vmcoreinfo", kNoPci},
    {"vmgenid", kNoPci},
    {"edu", kNoPci},
    {"ivshmem", "memory is not shared with the host; leave the option out"},
    {"intel-iommu", "there is no IOMMU; leave the option out"},
    {"amd-iommu", "there is no IOMMU; leave the option out"},
    {"vfio", "host devices are not passed through; leave the option out"},
    {"nvdimm", "memory is -m SIZE; leave the option out"},
    {"pc-dimm", "memory is -m SIZE; leave the option out"},
    {"loader", "images are not put into memory; -kernel FILE loads a multiboot kernel, -option-rom FILE a ROM"},
    {"guest-loader", "images are not put into memory; -kernel FILE loads a multiboot kernel"},
    {"ipmi", kNoPci},
    {"isa-ipmi", kNoPci},
    {"pci-ipmi", kNoPci},
    {"smbus", kNoPci},
    {"xen", "relic86 never uses Xen; leave the option out"},
    {"vmmouse", "VMware's mouse is on the board already (-machine vmport=on); leave the option out"},
    {"isa-ide", "the board's IDE controller is there already; -device ide-hd attaches a disk to it"},
    {"piix3-ide", "the board's IDE controller is there already; -device ide-hd attaches a disk to it"},
    {"piix4-ide", "the board's IDE controller is there already; -device ide-hd attaches a disk to it"},
    {"isa-fdc", "the board's floppy controller is there already; -device floppy attaches a drive to it"},
    {"kvm-", "relic86 is pure software and never uses KVM; leave the option out"},
    {"hyperv", kNoPci},
    {"vmbus", kNoPci},
    {"generic-sdhci", "there is no SD card slot; use -hda FILE"},
    {"sga", "the serial console is -nographic; leave the option out"},
    {"cxl", kNoPci},
    {"pcm3", kNoPci},
};

}  // namespace

std::string_view foreign_device_reason(std::string_view name) {
  for (const Row& row : kRows) {
    if (name.starts_with(row.beginning)) return row.reason;
  }
  // A processor of the device tree: "qemu32-i386-cpu".
  constexpr Text kProcessor = "-cpu";
  if (name.ends_with(kProcessor)) return "-smp N makes processors, and -cpu MODEL says which";
  return {};
}

}  // namespace relic86
