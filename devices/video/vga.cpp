// Standard VGA, PCI 1234:1111 revision 2, class 030000h
//
//   ports 3B4h-3BAh, 3C0h-3DFh        1, 2  the VGA's (vga_registers.cpp); decoded whatever the PCI command says
//   ports 1CEh-1D1h                   2     DISPI: 1CEh index, 1CFh or 1D0h data (vbe_dispi.cpp)
//   memory A0000h-BFFFFh              1-8   the VGA's windows (vga_memory.h); plain memory in mode 13h and, at B8000h,
//                                           in text modes (vga_text_window.h)
//   BAR 0, 16 MiB memory, prefetchable      video memory
//   BAR 2, 4 KiB memory                     0-7Fh R: the monitor's EDID; 400h-41Fh: ports 3C0h-3DFh;
//                                           500h-515h: DISPI registers, 16 bits each;
//                                           600h R: bytes of this register block; 604h R: byte order (little)
//   ROM BAR                                 video BIOS
// No IRQ: the vertical interrupt of the VGA is not wired on PCI parts.
#include "devices/video/vga.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "devices/video/vbe_renderer.h"
#include "devices/video/vga_geometry.h"
#include "devices/video/vga_picture.h"

namespace relic86 {

namespace {
constexpr u32 kRegisterBarBytes = 0x1000;
constexpr u64 kWindowBase = 0xA0000;
constexpr u64 kLinearWindowBytes = 0x10000;
constexpr u16 kMonochromeBase = 0x3B4;
constexpr u16 kColourBase = 0x3C0;
constexpr u16 kDispiBase = 0x1CE;
constexpr u64 kBarPorts = 0x400, kBarPortsEnd = 0x420;
constexpr u64 kBarDispi = 0x500, kBarDispiEnd = 0x500 + VbeDispi::kRegisterCount * 2;
constexpr u64 kBarExtension = 0x600, kBarExtensionEnd = 0x608;
constexpr u64 kExtensionRegisters = 0x1E1E1E1E'00000008;  // size 8; 1Eh in every byte: little-endian frame buffer
constexpr double kTubeAspect = 4.0 / 3.0;

PciIdentity display_controller() {
  PciIdentity identity;
  identity.vendor = 0x1234;
  identity.device = 0x1111;
  identity.revision = 2;
  identity.class_code = 0x030000;
  return identity;
}
}  // namespace

Vga::Vga(std::span<const u8> option_rom)
    : PciDevice(display_controller()), option_rom_(option_rom.begin(), option_rom.end()) {
  RELIC86_ASSERT(option_rom.size() <= kMostRom);
  declare_memory_bar(2, kRegisterBarBytes, kRegisterBar, 4);
}

u64 Vga::rom_room(u64 rom_bytes) { return rom_bytes == 0 ? 0 : std::bit_ceil(std::max<u64>(rom_bytes, kPageSize)); }

Result<> Vga::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  bus_memory_ = &board.memory();
  BackingStore& store = bus_memory_->store();
  video_memory_ = store.allocate(kVideoMemory, "vga.memory");
  memory_.connect(store.bytes(video_memory_, kVideoMemory), &store, video_memory_);
  declare_ram_bar(0, kVideoMemory, video_memory_);
  text_window_.connect(*bus_memory_, memory_.bytes(), video_memory_);
  if (const u64 room = rom_room(option_rom_.size()); room != 0) {
    const BackingOffset rom = store.allocate(room, "vga.rom");
    const std::span<u8> bytes = store.bytes(rom, room);
    std::fill(bytes.begin(), bytes.end(), u8{0xFF});
    std::copy(option_rom_.begin(), option_rom_.end(), bytes.begin());
    declare_rom_bar(static_cast<u32>(room), rom);
  }
  // Words are an index and its data.
  if (auto done = board.ports(*this, kMonochromePorts, kMonochromeBase, 7, 2); !done) return done;
  if (auto done = board.ports(*this, kColourPorts, kColourBase, 0x20, 2); !done) return done;
  if (auto done = board.ports(*this, kDispiPorts, kDispiBase, 4, 2); !done) return done;
  linear_window_key_ = bus_memory_->new_key();
  return bus_memory_->map_fixed(bus_memory_->new_key(), mmio_range("vga.window", PhysAddr(kWindowBase),
                                                                   VgaMemory::kWindowBytes, this, kWindow, 8));
}

void Vga::reset_function(ResetKind) {
  registers_.reset();
  dispi_.reset();
  memory_.reset();
  dispi_index_ = 0;
  update_window();
}

void Vga::state_function(StateArchive& archive) {
  if (!archive.loading()) text_window_.sync();
  registers_.state(archive);
  dispi_.state(archive);
  memory_.state(archive);
  archive.field("dispi_index", dispi_index_);
  if (!archive.loading()) return;
  drawn_ = false;
  update_window();
  show_linear_window(linear_);
}

u64 Vga::read(RegionId region, u64 offset, unsigned width) {
  u64 value = 0;
  switch (region) {
    case kMonochromePorts: return read_ports(static_cast<u16>(kMonochromeBase + offset), width);
    case kColourPorts: return read_ports(static_cast<u16>(kColourBase + offset), width);
    case kDispiPorts: return read_dispi_port(offset, width);
    case kWindow:
      for (unsigned i = 0; i < width; i++) value |= u64{memory_.read(static_cast<u32>(offset + i))} << (i * 8);
      note_linear(width);
      return value;
    default:
      for (unsigned i = 0; i < width; i++) value |= u64{read_register_bar(offset + i)} << (i * 8);
      return value;
  }
}

void Vga::write(RegionId region, u64 offset, unsigned width, u64 value) {
  switch (region) {
    case kMonochromePorts: return write_ports(static_cast<u16>(kMonochromeBase + offset), width, value);
    case kColourPorts: return write_ports(static_cast<u16>(kColourBase + offset), width, value);
    case kDispiPorts: return write_dispi_port(offset, width, value);
    case kWindow:
      for (unsigned i = 0; i < width; i++) {
        memory_.write(static_cast<u32>(offset + i), static_cast<u8>(value >> (i * 8)));
      }
      note_linear(width);
      return;
    default: return write_register_bar(offset, width, value);
  }
}

bool Vga::read_run(RegionId region, u64 offset, std::span<u8> into) {
  if (region != kWindow || settles_with(into.size()) || !memory_.read_run(static_cast<u32>(offset), into)) return false;
  note_linear(into.size());
  return true;
}

bool Vga::write_run(RegionId region, u64 offset, std::span<const u8> from) {
  if (region != kWindow || settles_with(from.size()) || !memory_.write_run(static_cast<u32>(offset), from))
    return false;
  note_linear(from.size());
  return true;
}

bool Vga::copy_run(RegionId region, u64 from, u64 to, unsigned width, u32 count) {
  return region == kWindow && memory_.copy_run(static_cast<u32>(from), static_cast<u32>(to), width, count);
}

u8 Vga::read_port(u16 port) {
  const bool status = port == 0x3BA || port == 0x3DA;
  if (status) status_reads_.note();
  return registers_.read(port, status ? timing().status(scheduler_->now()) : 0);
}

u64 Vga::read_ports(u16 port, unsigned width) {
  u64 value = 0;
  for (unsigned i = 0; i < width; i++) value |= u64{read_port(static_cast<u16>(port + i))} << (i * 8);
  return value;
}

void Vga::write_ports(u16 port, unsigned width, u64 value) {
  for (unsigned i = 0; i < width; i++) write_port(static_cast<u16>(port + i), static_cast<u8>(value >> (i * 8)));
}

void Vga::write_port(u16 port, u8 value) {
  registers_.write(port, value, dispi_.eight_bit_dac());
  // Miscellaneous output and the data of sequencer and graphics controller: no other register concerns the window.
  if (port == 0x3C2 || port == 0x3C5 || port == 0x3CF) update_window();
}

void Vga::write_dispi(u16 index, u16 value) {
  text_window_.sync();
  if (dispi_.write(index, value) == VbeDispi::Effect::ModeSetAndClear) memory_.clear(0, dispi_.picture_bytes());
  update_window();
}

// Words at 1CEh, 1CFh and 1D0h; bytes are answered for curious probes only.
u64 Vga::read_dispi_port(u64 offset, unsigned width) const {
  const u16 value = offset == 0 ? dispi_index_ : dispi_.read(dispi_index_);
  return width == 1 && offset > 1 ? value >> 8 : value;
}

void Vga::write_dispi_port(u64 offset, unsigned width, u64 value) {
  if (width == 1) return;
  if (offset == 0) {
    dispi_index_ = static_cast<u16>(value);
  } else {
    write_dispi(dispi_index_, static_cast<u16>(value));
  }
}

u8 Vga::read_register_bar(u64 offset) {
  if (offset >= kBarPorts && offset < kBarPortsEnd)
    return read_port(static_cast<u16>(kColourBase + offset - kBarPorts));
  if (offset >= kBarDispi && offset < kBarDispiEnd) {
    const u16 value = dispi_.read(static_cast<u16>((offset - kBarDispi) / 2));
    return static_cast<u8>((offset & 1) != 0 ? value >> 8 : value);
  }
  if (offset < edid_.size()) return edid_[offset];
  if (offset >= kBarExtension && offset < kBarExtensionEnd) {
    return static_cast<u8>(kExtensionRegisters >> ((offset - kBarExtension) * 8));
  }
  return 0;
}

void Vga::write_register_bar(u64 offset, unsigned width, u64 value) {
  if (offset >= kBarDispi && offset < kBarDispiEnd) {
    // Only whole registers: half a value would set a mode nobody asked for.
    for (unsigned i = 0; i + 2 <= width; i += 2) {
      if ((offset & 1) == 0 && offset + i < kBarDispiEnd) {
        write_dispi(static_cast<u16>((offset + i - kBarDispi) / 2), static_cast<u16>(value >> (i * 8)));
      }
    }
    return;
  }
  for (unsigned i = 0; i < width; i++) {
    const u64 at = offset + i;
    if (at >= kBarPorts && at < kBarPortsEnd) {
      write_port(static_cast<u16>(kColourBase + at - kBarPorts), static_cast<u8>(value >> (i * 8)));
    }
  }
}

// A0000h is memory while nothing but storing happens there, so that the CPU's TLB can have it. It is shown as such once
// some accesses have found it so: programs that change the mode with every pixel are not to pay for remapping.
void Vga::update_window() {
  const bool planar = memory_.update_planes();
  if (const bool text = !planar && memory_.text_is_linear(); text != text_window_.shown()) text_window_.show(text);
  const bool linear = !planar && memory_.window_is_linear();
  if (linear == linear_) return;
  linear_ = linear;
  linear_accesses_ = 0;
  if (!linear) show_linear_window(false);
}

void Vga::show_linear_window(bool shown) {
  if (shown == linear_window_shown_ || bus_memory_ == nullptr) return;
  linear_window_shown_ = shown;
  bus_memory_->map_movable(linear_window_key_,
                           ram_range("vga.linear-window", PhysAddr(kWindowBase), shown ? kLinearWindowBytes : 0,
                                     video_memory_, Priority::Window));
}

bool Vga::settles_with(std::size_t bytes) const {
  constexpr std::size_t kSettled = 64;
  return linear_ && linear_accesses_ + bytes >= kSettled;
}

void Vga::note_linear(std::size_t bytes) {
  if (settles_with(bytes))
    show_linear_window(true);
  else
    linear_accesses_ += bytes;
}

const VgaTiming& Vga::timing() {
  const u64 generation = registers_.generation() + dispi_.generation();  // both only grow
  if (generation != timing_of_) {
    timing_ = dispi_.enabled() ? VgaTiming::of_vbe(dispi_.height()) : VgaTiming::of(registers_);
    timing_of_ = generation;
  }
  return timing_;
}

bool Vga::take_dirty_pages() {
  const u32 start = dispi_.enabled() ? dispi_.picture_start() : 0;
  const u32 end = dispi_.enabled() ? start + dispi_.picture_bytes() : VgaMemory::kPlanarBytes;
  return dirty_pages_.take(bus_memory_->store(), video_memory_, start, std::min(end, kVideoMemory), !drawn_);
}

bool Vga::render(Frame& frame) {
  text_window_.sync();
  const VgaBlink blink = text_mode() ? VgaBlink::at(timing().frame_number(scheduler_->now())) : VgaBlink{};
  const Shown now{registers_.generation(), dispi_.generation(), blink};
  const bool dirty = take_dirty_pages();
  const bool same_frame = frame.width == drawn_width_ && frame.height == drawn_height_ &&
                          frame.pixels.size() == u64{drawn_width_} * drawn_height_;
  if (drawn_ && !dirty && now == shown_ && same_frame) return false;
  if (drawn_ && now == shown_ && same_frame && dispi_.enabled() && registers_.video_enabled()) {
    draw_dirty_rows(frame);
    return true;
  }
  draw(frame, blink);
  changed_rows_ = {0, frame.height};
  drawn_ = true;
  shown_ = now;
  drawn_width_ = frame.width;
  drawn_height_ = frame.height;
  return true;
}

void Vga::draw_dirty_rows(Frame& frame) {
  changed_rows_ = {frame.height, 0};
  VbeRenderer renderer(dispi_, registers_, memory_.bytes());
  for (unsigned y = 0; y < frame.height; y++) {
    const u32 start = dispi_.picture_start() + y * dispi_.pitch();
    if (!dirty_pages_.any(start, start + renderer.row_bytes())) continue;
    renderer.row(y, frame);
    changed_rows_.first = std::min(changed_rows_.first, y);
    changed_rows_.end = y + 1;
  }
}

void Vga::draw(Frame& frame, VgaBlink blink) const {
  if (!dispi_.enabled()) return draw_vga_mode(registers_, memory_.bytes(), dispi_.eight_bit_dac(), blink, frame);
  frame.text_mode = false;
  VbeRenderer(dispi_, registers_, memory_.bytes()).draw(frame);
  if (!registers_.video_enabled()) std::fill(frame.pixels.begin(), frame.pixels.end(), 0u);
  // VBE modes have square pixels, save the old 16:10 ones.
  const bool square = frame.width * 10 != frame.height * 16 || frame.width > 640;
  frame.pixel_aspect = square ? 1.0 : kTubeAspect * frame.height / frame.width;
}

std::vector<std::string> Vga::text_lines() {
  text_window_.sync();
  if (!text_mode() || !VgaGeometry::of(registers_).displayed) return {};
  return read_text(registers_, memory_.bytes());
}

std::string Vga::mode_name() const {
  if (dispi_.enabled()) return fmt::format("VBE {}x{}x{}", dispi_.width(), dispi_.height(), dispi_.depth());
  return vga_mode_name(registers_);
}

}  // namespace relic86
