// The PC's mainboard: creates every device in order and wires their lines.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devices/attachment.h"
#include "devices/board/board_config.h"
#include "devices/host_sinks.h"
#include "devices/irq_join.h"
#include "devices/smi_sink.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class A20Gate;
struct AcpiBoard;
class ApicBus;
class AtaDevice;
class AtaDisk;
class AtapiCdrom;
class GamePort;
class FwCfg;
class HostBridge;
class Hpet;
class Ich9Ahci;
class I8042;
class CfiFlash;
class CoprocessorError;
class DisplayAdapter;
class I82077;
class I8237;
class I8259Pair;
class IoApic;
class IsaInterrupts;
class Keyboard;
class LocalApic;
class Mc146818;
class ParallelPort;
class PcieRootPort;
class PciHotplug;
class PciBus;
class PciDevice;
class Pointer;
class PowerManagement;
class ProcessorRegisters;
class Q35Mch;
class Ps2Keyboard;
class Ps2Mouse;
class ResetPin;
class SystemControlB;
class Uart16550;
struct UsbController;
class UsbBoard;
class VirtioBalloon;
class VirtioBlock;
class VirtioPci;
class VirtioScsi;
class VirtioSerial;
class VmwarePort;

// A card of the PCI bus that can be taken out while the machine runs.
struct PciCard {
  enum class Kind : u8 { Disk, Network, Other } kind = Kind::Other;
  PciDevice* device = nullptr;
  std::string id, key;          // as in its configuration
  NetworkLink* link = nullptr;  // of a network card
};

class PcBoard {
 public:
  // Room for ROMs and video RAM that the backing store must have beside system RAM, in bytes.
  static constexpr u64 kExtraMemory = u64{64} << 20;

  // Builds and attaches all devices; the caller resets. The references must outlive the board.
  static Result<std::unique_ptr<PcBoard>> create(BoardConfig config, Scheduler& scheduler, IoSpace& io,
                                                 PhysicalBus& memory, MachineControl& machine);
  ~PcBoard();

  void reset(ResetKind kind);
  // Every device in a group of its name.
  void state(StateArchive& archive);

  // --- What the frontend and the processor need. ---
  Keyboard& keyboard() { return *host_keys_; }  // whichever device gets the host's keys
  Ps2Mouse& mouse() { return *mouse_; }
  Pointer& pointer() { return *pointer_; }        // whichever device gets the host's pointer
  DisplayAdapter* display() { return display_; }  // null: a machine without one
  // The picture and the text screen; false and empty without a display (see DisplayAdapter).
  bool render(Frame& frame);
  std::vector<std::string> text_screen() const;
  Mc146818& clock() { return *clock_; }
  // The IDE places, then the ports of the AHCI controller. Null: no such drive there.
  static constexpr unsigned kIdePlaces = 4, kDrivePlaces = kIdePlaces + AhciConfig::kPorts;
  AtaDisk* disk(unsigned place) { return disks_[place]; }
  GamePort* game_port() { return game_port_; }  // null: there is none
  AtapiCdrom* cdrom(unsigned place) { return cdroms_[place]; }
  const std::vector<VirtioBlock*>& virtio_disks() const { return virtio_disks_; }
  VirtioBalloon* balloon() { return balloon_; }  // null: there is none
  // A port of a virtio console, in the order of BoardConfig.
  std::size_t virtio_port_count() const { return virtio_ports_.size(); }
  CharSource& virtio_port_input(std::size_t port);
  void connect_virtio_port(std::size_t port, CharSink* sink);
  // COM1 is number 0, LPT1 too; null: there is no such port.
  Uart16550* uart(unsigned number) { return number < uarts_.size() ? uarts_[number] : nullptr; }
  ParallelPort* parallel(unsigned number) { return number < parallels_.size() ? parallels_[number] : nullptr; }
  FwCfg& firmware_config() { return *fw_cfg_; }
  // Letters as in BoardConfig::boot_order; counts from the next start of the firmware on.
  void set_boot_order(const std::string& letters);
  // INTR, NMI, INIT# and the start-up message's vector to a processor, from 0 on; its acknowledge cycle; FERR# of the
  // x87 (IRQ 13).
  struct ProcessorLines {
    std::function<void(bool)> intr;
    std::function<void()> nmi{};
    std::function<void()> init{};
    std::function<void(u8)> startup{};
    ProcessorRegisters* registers = nullptr;  // for VMware's port
  };
  void connect_processor(unsigned number, ProcessorLines lines);
  u8 acknowledge_interrupt(unsigned number);
  // null: the processor has none
  LocalApic* local_apic(unsigned number) { return number < local_apics_.size() ? local_apics_[number] : nullptr; }
  void init_processor(unsigned number);  // INIT# resets the local APIC, too
  // Which processor carries out instructions from now on; 0 at first.
  void set_running_processor(unsigned number);
  void pulse_nmi();            // the board's NMI line
  void forget_missed_ticks();  // of the RTC: the guest has set its time by other means
  void signal_ferr(bool level);
  std::string describe_interrupt_controllers() const;  // info pic
  // Plugs the PC speaker in; without it nothing is heard of it.
  void connect_speaker(SoundHost& host);
  // Everything written so far is on the host's disks.
  Result<> flush_media();
  Result<> insert_floppy(unsigned drive, std::unique_ptr<BlockDevice> image, const std::string& file,
                         bool write_protected);
  void eject_floppy(unsigned drive);
  bool floppy_present(unsigned drive) const;  // the drive, not a disk in it
  void power_button();
  void wake();                      // out of suspend to RAM, if the machine is in it
  bool suspended() const;           // to RAM: time and devices go on, the processor does not
  bool hears_power_button() const;  // false: the guest would not notice it
  // System management mode: where SMI# to a processor goes (null, the default: it has none; before the reset), and
  // whether the running processor is in it. The chipset's SMI# leads to the bootstrap processor.
  void connect_smi(unsigned number, SmiSink* sink);
  void set_system_management_mode(bool active);

  // --- PCI cards that come and go while the machine runs (devices/board/card_slots.cpp): in the slots of an i440FX's
  // bus, and of root ports. ---
  bool can_unplug(unsigned place) const;
  const std::map<unsigned, PciCard>& cards() const { return cards_; }  // by place (base/pci_place.h)
  // The card is there at once and the guest is told of it.
  Result<> plug(NetworkCardConfig card);
  Result<> plug(VirtioConfig device);  // a disk or a source of random numbers
  // The guest is asked to let go of it. What the guest, or a reset, has ejected is out of its sight at once; it waits
  // for take_ejected(), of which the listener is told in the middle of an instruction.
  void request_unplug(unsigned place);
  void on_eject(std::function<void()> listener) { ejecting_ = std::move(listener); }
  struct EjectedCard {
    PciCard card;
    std::unique_ptr<Device> device;
  };
  std::vector<EjectedCard> take_ejected() { return std::exchange(ejected_, {}); }

  u64 low_ram() const { return low_ram_; }  // bytes below 4 GiB; the rest begins there
  std::string describe_pci() const;
  UsbBoard* usb() const { return usb_.get(); }  // null: there is no controller
  const PciBus& pci() const { return *pci_; }
  const std::vector<std::unique_ptr<Device>>& devices() const { return devices_; }
  Device* find(std::string_view name) const;  // null: none of that name

 private:
  PcBoard(BoardConfig config, Scheduler& scheduler, IoSpace& io, PhysicalBus& memory, MachineControl& machine);
  Result<> build();
  void create_interrupt_controllers();
  void create_chipset();
  void create_i440fx_chipset();
  void create_q35_chipset();
  void take_message(u64 address, u32 data);
  void connect_messages(VirtioPci& device);
  VirtioInterfaces with_messages(VirtioInterfaces interfaces, unsigned place) const;
  void create_flash();
  void create_display();
  void create_input();
  void create_clock();
  void create_network_cards();
  void create_virtio();
  void create_watchdogs();
  std::unique_ptr<PciDevice> make_network_card(NetworkCardConfig& card, unsigned place);
  std::unique_ptr<PciDevice> make_virtio(VirtioConfig& device, unsigned place);
  std::unique_ptr<VirtioBlock> make_virtio_disk(VirtioConfig& disk);
  std::unique_ptr<VirtioScsi> make_virtio_scsi(VirtioConfig& controller, unsigned place);
  Result<> plug(unsigned place, PciCard card, std::unique_ptr<PciDevice> device);
  Result<unsigned> place_for(std::optional<unsigned> named) const;
  Result<unsigned> free_place() const;
  Result<unsigned> empty_port(unsigned place) const;
  u32 removable_slots() const;
  u32 removable_ports() const;
  void eject(unsigned place);
  void create_root_ports();
  // The place of a card, by the one that it names; an error ends up in result_, and there is none.
  std::optional<unsigned> card_place(std::optional<unsigned> named, const std::string& name);
  std::string firmware_path(unsigned place, const std::string& device, unsigned function = 0) const;
  Result<> put(PciDevice& device, unsigned place, unsigned function);
  void take_out(PciDevice& device, unsigned place);
  void create_character_ports();
  void create_debug_devices();
  void create_sound();
  template <class Card>
  void connect_cds(Card& card);
  std::vector<UsbController> create_usb_controllers(const UsbControllerConfig& wanted);
  void create_usb();
  void create_disks();
  void create_ide();
  void create_ahci();
  std::unique_ptr<AtaDevice> make_drive(IdeSlot& slot, unsigned place);
  void create_floppies();
  void fill_firmware_config();
  void offer_acpi_tables();
  void describe_chipset(AcpiBoard& about) const;

  // Creates and attaches a device. After a failure nothing more is attached; build() returns it.
  template <class T, class... Args>
  T& add(Args&&... args) {
    auto device = std::make_unique<T>(std::forward<Args>(args)...);
    T& reference = *device;
    attach(std::move(device));
    return reference;
  }
  template <class T, class... Args>
  T& add_pci(unsigned at, unsigned function, Args&&... args) {
    auto device = std::make_unique<T>(std::forward<Args>(args)...);
    T& reference = *device;
    place(reference, at, function);
    attach(std::move(device));
    return reference;
  }
  void attach(std::unique_ptr<Device> device);
  void place(PciDevice& device, unsigned at, unsigned function);

  BoardConfig config_;
  PhysicalBus& memory_;
  MachineControl& machine_;
  IrqJoin irqs_;  // before the 8259A pair
  Attachment attachment_;
  Result<> result_;
  std::unique_ptr<A20Gate> a20_;
  std::unique_ptr<ResetPin> reset_pin_;
  std::vector<std::unique_ptr<Device>> devices_;

  std::function<void()> nmi_;
  I8259Pair* interrupts_ = nullptr;
  IoApic* io_apic_ = nullptr;
  std::unique_ptr<ApicBus> apic_bus_;
  std::vector<LocalApic*> local_apics_;  // by processor
  std::unique_ptr<IsaInterrupts> isa_interrupts_;
  SystemControlB* system_control_ = nullptr;
  I8237* dma_ = nullptr;
  I82077* floppies_ = nullptr;
  CoprocessorError* coprocessor_ = nullptr;
  PciBus* pci_ = nullptr;
  HostBridge* host_bridge_ = nullptr;
  Q35Mch* q35_ = nullptr;  // null: an i440FX
  std::vector<PcieRootPort*> root_ports_;
  u64 low_ram_ = 0;
  std::array<AtaDisk*, kDrivePlaces> disks_{};
  std::array<AtapiCdrom*, kDrivePlaces> cdroms_{};
  GamePort* game_port_ = nullptr;
  bool cds_connected_ = false;  // to a sound card
  PciHotplug* hotplug_ = nullptr;
  std::map<unsigned, PciCard> cards_;
  std::vector<EjectedCard> ejected_;
  std::function<void()> ejecting_;
  std::vector<VirtioBlock*> virtio_disks_;
  std::vector<VirtioScsi*> scsi_;
  VirtioBalloon* balloon_ = nullptr;
  struct VirtioPortPlace {
    VirtioSerial* device = nullptr;
    std::size_t index = 0;  // in the device's list
  };
  std::vector<VirtioPortPlace> virtio_ports_;
  PowerManagement* power_ = nullptr;
  FwCfg* fw_cfg_ = nullptr;
  std::vector<CfiFlash*> flash_;
  I8042* keyboard_controller_ = nullptr;
  Ps2Keyboard* keyboard_ = nullptr;
  Ps2Mouse* mouse_ = nullptr;
  VmwarePort* vmware_port_ = nullptr;
  DisplayAdapter* display_ = nullptr;
  Mc146818* clock_ = nullptr;
  std::array<Uart16550*, 4> uarts_{};
  std::array<ParallelPort*, 3> parallels_{};
  std::unique_ptr<Keyboard> host_keys_;
  std::unique_ptr<Pointer> pointer_;
  std::unique_ptr<UsbBoard> usb_;
};

}  // namespace relic86
