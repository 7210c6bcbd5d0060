// The standard VGA: a PCI function 1234:1111 with the IBM VGA's ports and memory, the Bochs VBE interface, a linear
// frame buffer and a video BIOS. It draws its picture when asked to; nothing runs in between.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "devices/pci_device.h"
#include "devices/video/display_adapter.h"
#include "devices/video/edid.h"
#include "devices/video/picture_pages.h"
#include "devices/video/vbe_dispi.h"
#include "devices/video/vga_memory.h"
#include "devices/video/vga_registers.h"
#include "devices/video/vga_text_renderer.h"
#include "devices/video/vga_text_window.h"
#include "devices/video/vga_timing.h"

namespace relic86 {

class Vga final : public PciDevice, public DisplayAdapter, public PlanarMemory {
 public:
  static constexpr u32 kVideoMemory = 16 * 1024 * 1024;
  static constexpr u64 kMostRom = 256 * 1024;

  // option_rom: the video BIOS image, up to kMostRom bytes; may be empty (then there is no ROM BAR).
  explicit Vga(std::span<const u8> option_rom);

  // What BackingStore::create() must set aside for video memory and a video BIOS of this size.
  static u64 backing_room(u64 rom_bytes) { return kVideoMemory + VgaTextWindow::kBytes + rom_room(rom_bytes); }

  std::string_view name() const override { return "vga"; }

  bool render(Frame& frame) override;
  Rows changed_rows() const override { return changed_rows_; }
  u8 status() override { return timing().status(scheduler_->now()); }
  GuestTime next_retrace_change() override { return timing().next_retrace_change(scheduler_->now()); }
  StatusReads& status_reads() override { return status_reads_; }
  bool text_mode() const override { return !dispi_.enabled() && !registers_.graphics_mode(); }
  std::vector<std::string> text_lines() override;
  std::string mode_name() const override;

  const VgaRegisters& registers() const { return registers_; }
  const VbeDispi& dispi() const { return dispi_; }

  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  bool read_run(RegionId region, u64 offset, std::span<u8> into) override;
  bool write_run(RegionId region, u64 offset, std::span<const u8> from) override;
  bool copy_run(RegionId region, u64 from, u64 to, unsigned width, u32 count) override;
  PlaneWindow* plane_window(RegionId region) override { return region == kWindow ? &memory_.planes() : nullptr; }
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned, unsigned) override {}

 private:
  enum Region : RegionId { kMonochromePorts, kColourPorts, kDispiPorts, kWindow, kRegisterBar };
  struct Shown {
    u64 registers = 0;
    u64 dispi = 0;
    VgaBlink blink;
    friend bool operator==(const Shown&, const Shown&) = default;
  };
  static u64 rom_room(u64 rom_bytes);

  u64 read_ports(u16 port, unsigned width);
  void write_ports(u16 port, unsigned width, u64 value);
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);
  void write_dispi(u16 index, u16 value);
  u64 read_dispi_port(u64 offset, unsigned width) const;
  void write_dispi_port(u64 offset, unsigned width, u64 value);
  u8 read_register_bar(u64 offset);
  void write_register_bar(u64 offset, unsigned width, u64 value);
  void update_window();
  void show_linear_window(bool shown);
  bool settles_with(std::size_t bytes) const;
  void note_linear(std::size_t bytes);
  const VgaTiming& timing();
  bool take_dirty_pages();
  void draw(Frame& frame, VgaBlink blink) const;
  void draw_dirty_rows(Frame& frame);

  std::vector<u8> option_rom_;
  VgaRegisters registers_;
  VbeDispi dispi_{kVideoMemory};
  VgaMemory memory_{registers_, dispi_};
  VgaTextWindow text_window_;
  u16 dispi_index_ = 0;
  const std::array<u8, 128> edid_ = make_edid(VbeDispi::kMaximumWidth, VbeDispi::kMaximumHeight);

  Scheduler* scheduler_ = nullptr;
  PhysicalBus* bus_memory_ = nullptr;
  BackingOffset video_memory_{};
  u32 linear_window_key_ = 0;
  bool linear_ = false;               // the window could be shown as memory, and is
  bool linear_window_shown_ = false;  // once that has lasted for some accesses:
  std::size_t linear_accesses_ = 0;   // bytes

  VgaTiming timing_;
  StatusReads status_reads_;
  u64 timing_of_ = ~u64{0};  // generation of the registers that timing_ was made from
  bool drawn_ = false;
  PicturePages dirty_pages_;
  Rows changed_rows_;
  Shown shown_;
  unsigned drawn_width_ = 0;
  unsigned drawn_height_ = 0;
};

}  // namespace relic86
