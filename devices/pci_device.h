// A function of the PCI bus: 256 bytes of configuration space, base address registers that map themselves, INTx#.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/register_file.h"

namespace relic86 {

class PciDevice;

// What is above a function: its bus, and the bridges on the way to it.
class PciUpstream {
 public:
  enum class Space : u8 { Io, Memory };
  // The level of a function's INTx# pin, as the function drives it.
  virtual void set_interrupt(const PciDevice& device, bool level) = 0;
  // Whether the processor's accesses to all of [first, first + size) reach the bus.
  virtual bool passes(Space space, u64 first, u64 size) const = 0;

 protected:
  ~PciUpstream() = default;
  // The function is at this place of this bus from now on.
  void put(PciDevice& device, unsigned slot, unsigned function);
};

// What a function says of itself, read-only to the guest (PCI 2.1, 6.2.1 and 6.2.4).
struct PciIdentity {
  u16 vendor = 0;
  u16 device = 0;
  u8 revision = 0;
  u32 class_code = 0;             // 24 bits: base class, sub-class, programming interface
  u16 subsystem_vendor = 0x1AF4;  // with 1100h below: how SeaBIOS knows the machine type
  u16 subsystem = 0x1100;
  u8 interrupt_pin = 0;        // 0: none, 1: INTA# to 4: INTD#
  bool multifunction = false;  // function 0 of a device with several
};

// Offsets of the standard header (PCI 2.1, figure 6-1).
enum PciRegister : u8 {
  kPciVendor = 0x00,
  kPciDevice = 0x02,
  kPciCommand = 0x04,
  kPciStatus = 0x06,
  kPciRevision = 0x08,
  kPciClass = 0x09,
  kPciHeaderType = 0x0E,
  kPciBar0 = 0x10,
  kPciSubsystemVendor = 0x2C,
  kPciSubsystem = 0x2E,
  kPciRomAddress = 0x30,
  kPciInterruptLine = 0x3C,
  kPciInterruptPin = 0x3D,
};

// Derived devices declare their registers in the constructor or in attach_function(), answer read()/write() of their
// regions, and override the three hooks instead of attach/reset/state, which keep the configuration space in step.
class PciDevice : public Device {
 public:
  explicit PciDevice(const PciIdentity& identity);

  Result<> attach(Attachment& board) final;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) final;

  // Configuration cycles, from the bus. width 1, 2 or 4; offset + width stays within 256 (and within one dword).
  // config_read looks without being a cycle.
  u32 config_read(u8 offset, unsigned width) const { return config_.read(offset, width); }
  u32 config_cycle_read(u8 offset, unsigned width) {
    config_reading(offset, width);
    return config_read(offset, width);
  }
  void config_write(u8 offset, unsigned width, u32 value);
  // What the bus above passes on has changed.
  void upstream_changed() { update_bars(); }

  // An expansion ROM of at most kMostOptionRom bytes, before the function is attached. Firmware runs it.
  static constexpr std::size_t kMostOptionRom = 256 * 1024;
  void set_option_rom(std::vector<u8> rom) { option_rom_ = std::move(rom); }

  const PciIdentity& identity() const { return identity_; }
  u8 slot() const { return slot_; }
  u8 function() const { return function_; }
  // Base address of BAR n (0 to 5), or of the option ROM (6), without its flag bits; 0 when it is not mapped.
  u64 mapped_at(unsigned bar) const { return bars_[bar].mapped; }
  u32 bar_size(unsigned bar) const { return bars_[bar].size; }
  bool bar_is_wide(unsigned bar) const { return bars_[bar].wide; }  // 64 bits
  bool bar_is_io(unsigned bar) const { return bars_[bar].kind == Bar::Kind::Io; }

 protected:
  static constexpr unsigned kRomBar = 6;
  static constexpr unsigned kConfigSize = 256;

  virtual Result<> attach_function(Attachment& board) = 0;
  virtual void reset_function(ResetKind kind) = 0;
  virtual void state_function(StateArchive& archive) = 0;
  // After a guest write changed bytes [offset, offset + width). BARs and command have been acted on already. Also
  // called for the whole space after a reset (before reset_function) and after loading a state (after state_function).
  virtual void config_written(unsigned offset, unsigned width) = 0;
  // Before a guest reads these bytes: for registers that are made when somebody looks.
  virtual void config_reading(unsigned /*offset*/, unsigned /*width*/) {}

  // --- Declarations, before the first reset. Everything not declared reads 0 and ignores writes. ---
  // A register of width 1, 2 or 4 bytes: value at reset, bits the guest can write, bits cleared by writing ones.
  void declare(u8 offset, unsigned width, u32 reset_value, u32 writable, u32 write_one_clears = 0) {
    const RegisterFile::Row row{offset, static_cast<u8>(width), reset_value, writable, write_one_clears};
    config_.declare({&row, 1});
  }
  void declare(std::span<const RegisterFile::Row> rows) { config_.declare(rows); }
  // Changes which bits the guest can write from now on: lock bits. Undone by the owner in config_written().
  void declare_writable(u8 offset, u8 writable) { config_.declare_writable(offset, writable); }
  // BARs 0 to 5. size: a power of two; memory: at least 4 KiB, I/O: 4 bytes to 64 KiB. max_width as in the bus.
  void declare_memory_bar(unsigned bar, u32 size, RegionId region, unsigned max_width, bool prefetchable = false);
  // Of 64 bits and prefetchable: it takes two registers, BAR n and n + 1.
  void declare_wide_memory_bar(unsigned bar, u32 size, RegionId region, unsigned max_width);
  void declare_ram_bar(unsigned bar, u32 size, BackingOffset backing, bool prefetchable = true);
  void declare_io_bar(unsigned bar, u32 size, RegionId region, unsigned max_width);
  // Expansion ROM; size: a power of two of at least 4 KiB that the backing store holds at that offset.
  void declare_rom_bar(u32 size, BackingOffset backing);

  // The register's value (declared or not), for behaviour in the derived device.
  u32 config(u8 offset, unsigned width) const { return config_read(offset, width); }
  // Changes a register from the device's side: status bits, read-only fields.
  void set_config(u8 offset, unsigned width, u32 value) { config_.set(offset, width, value); }
  bool bus_master_enabled() const { return (config(kPciCommand, 2) & 4) != 0; }
  bool io_enabled() const { return (config(kPciCommand, 2) & 1) != 0; }
  // INTx#, level. Goes to the bus unless the command register's interrupt disable is set.
  void set_interrupt(bool level);

 private:
  friend class PciUpstream;
  struct Bar {
    enum class Kind : u8 { None, Memory, Ram, Io, Rom };
    Kind kind = Kind::None;
    bool wide = false;  // 64 bits, in two registers
    u32 size = 0;
    RegionId region = 0;
    unsigned max_width = 4;
    BackingOffset backing{};
    u32 key = 0;     // of the bus or the port space
    u64 mapped = 0;  // address, 0: not mapped
  };
  static u8 bar_register(unsigned bar) {
    return bar == kRomBar ? u8{kPciRomAddress} : static_cast<u8>(kPciBar0 + bar * 4);
  }
  Bar& add_bar(unsigned bar, Bar::Kind kind, u32 size, u32 flags);
  void update_bars();
  u64 wanted_address(unsigned bar) const;
  void map(unsigned bar, u64 address);
  void attach_option_rom();
  void drive_interrupt();

  PciIdentity identity_;
  PciUpstream* bus_ = nullptr;
  u8 slot_ = 0;
  u8 function_ = 0;
  IoSpace* io_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  RegisterFile config_{kConfigSize};
  std::array<Bar, 7> bars_{};
  bool interrupt_ = false;
  std::vector<u8> option_rom_;
};

}  // namespace relic86
