// The Cirrus Logic GD5446, a PCI function 1013:00B8 with 4 MiB of video memory: a VGA, packed-pixel modes of 8 to 32
// bits, a hardware cursor and a BitBLT engine. For its registers see cirrus_registers.cpp and cirrus_blit.cpp.
//
// Not there: byte-swapping apertures, the video overlay, planar modes beyond the VGA's 256 KiB.
#pragma once

#include <array>

#include "devices/pci_device.h"
#include "devices/video/cirrus_blitter.h"
#include "devices/video/cirrus_memory.h"
#include "devices/video/cirrus_registers.h"
#include "devices/video/cirrus_renderer.h"
#include "devices/video/display_adapter.h"
#include "devices/video/picture_pages.h"
#include "devices/video/settled_window.h"
#include "devices/video/vga_memory.h"
#include "devices/video/vga_text_renderer.h"
#include "devices/video/vga_text_window.h"
#include "devices/video/vga_timing.h"

namespace relic86 {

class CirrusVga final : public PciDevice, public DisplayAdapter {
 public:
  static constexpr u32 kVideoMemory = 4 * 1024 * 1024;

  CirrusVga();

  // What BackingStore::create() must set aside, a video BIOS apart.
  static constexpr u64 backing_room() { return kVideoMemory + VgaTextWindow::kBytes; }

  std::string_view name() const override { return "cirrus-vga"; }

  bool render(Frame& frame) override;
  Rows changed_rows() const override { return changed_rows_; }
  u8 status() override { return timing().status(scheduler_->now()); }
  GuestTime next_retrace_change() override { return timing().next_retrace_change(scheduler_->now()); }
  StatusReads& status_reads() override { return status_reads_; }
  bool text_mode() const override { return !vga_.graphics_mode(); }
  std::vector<std::string> text_lines() override;
  std::string mode_name() const override;

  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  bool read_run(RegionId region, u64 offset, std::span<u8> into) override;
  bool write_run(RegionId region, u64 offset, std::span<const u8> from) override;
  bool copy_run(RegionId region, u64 from, u64 to, unsigned width, u32 count) override;
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  enum Region : RegionId { kMonochromePorts, kColourPorts, kWindow, kLinear, kRegisterBar };
  struct Shown {
    u64 registers = 0;
    u64 cursor_registers = 0;
    VgaBlink blink;
    CirrusCursor cursor;
  };

  bool packed_mode() const { return registers_.packed() && vga_.graphics_mode(); }
  u8 read_byte(RegionId region, u32 offset);
  void write_byte(RegionId region, u32 offset, u8 value);
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);
  u8 read_window(u32 offset);
  void write_window(u32 offset, u8 value);
  u8 read_linear(u32 offset);
  void write_linear(u32 offset, u8 value);
  u8 read_blit_register(u32 offset) const;
  void write_blit_register(u32 offset, u8 value);
  bool reaches_memory(RegionId region, u64 offset) const;
  void carry_out(CirrusRegisters::Effect effect);
  bool registers_in_window() const;
  bool registers_in_linear() const;
  void note_access(RegionId region, u32 offset, std::size_t bytes);
  void update_windows();
  const VgaTiming& timing();
  void draw_packed(Frame& frame);
  void draw_changed_rows(Frame& frame, const CirrusCursor& cursor, bool cursor_changed);
  bool row_changed(const CirrusMode& mode, unsigned y) const;

  VgaRegisters vga_;
  VbeDispi no_dispi_{kVideoMemory};  // never enabled
  CirrusRegisters registers_{vga_};
  VgaMemory planes_{vga_, no_dispi_};
  CirrusMemory packed_{registers_};
  CirrusBlitter blitter_;
  VgaTextWindow text_window_;
  std::array<SettledWindow, 2> banks_;  // halves of the window at A0000h
  SettledWindow linear_;

  Scheduler* scheduler_ = nullptr;
  PhysicalBus* bus_memory_ = nullptr;
  BackingOffset video_memory_{};

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
