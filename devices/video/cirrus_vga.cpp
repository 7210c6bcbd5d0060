// Cirrus Logic GD5446, PCI 1013:00B8, class 030000h
//
//   ports 3B4h-3BAh, 3C0h-3DFh   1, 2  the VGA's and the extensions (cirrus_registers.cpp)
//   memory A0000h-BFFFFh         1-8   the VGA's windows; with packed pixels two banks at A0000h and, if sequencer 17h
//                                      says so, the BitBLT's registers at B8000h
//   BAR 0, 32 MiB, prefetchable  1-8   0-3FFFFFh video memory; 1000000h-13FFFFFh what a BitBLT takes from the CPU
//   BAR 1, 4 KiB                 1-4   0-1Fh ports 3C0h-3DFh; 100h-1FFh the BitBLT's registers
//   ROM BAR                            video BIOS
//
// While a BitBLT waits for the CPU, every access to video memory is one to it. No IRQ.
#include "devices/video/cirrus_vga.h"

#include <fmt/format.h>

#include "devices/video/vga_geometry.h"
#include "devices/video/vga_picture.h"

namespace relic86 {

namespace {
constexpr u32 kLinearBarBytes = 32 << 20, kRegisterBarBytes = 0x1000;
constexpr u32 kBlitAperture = 16 << 20;
constexpr u64 kWindowBase = 0xA0000;
constexpr u32 kWindowBytes = 0x10000, kWindowRegisters = 0x18000;
constexpr u32 kRegisterBytes = 0x100;  // of the BitBLT, wherever they are
constexpr u16 kMonochromeBase = 0x3B4, kColourBase = 0x3C0;
constexpr u32 kColourPortCount = 0x20;
constexpr std::size_t kSettledBank = 256, kSettledLinear = 4096;
enum Configuration : u8 { kRegistersMapped = 0x04, kRegistersLinear = 0x40 };  // sequencer 17h

PciIdentity gd5446() {
  PciIdentity identity;
  identity.vendor = 0x1013;
  identity.device = 0x00B8;
  identity.class_code = 0x030000;
  return identity;
}

// The graphics controller register behind a memory-mapped one; kNone: there is none.
constexpr u8 kNone = 0xFF;
u8 graphics_index(u32 offset) {
  static constexpr std::array<u8, 0x22> kIndexes = {
      0x00, 0x10, 0x12,  0x14, 0x01, 0x11, 0x13, 0x15, 0x20,  0x21, 0x22, 0x23, 0x24, 0x25,  0x26,  0x27, 0x28,
      0x29, 0x2A, kNone, 0x2C, 0x2D, 0x2E, 0x2F, 0x30, kNone, 0x32, 0x33, 0x34, 0x35, kNone, kNone, 0x38, 0x39};
  constexpr u32 kStart = 0x40;
  if (offset == kStart) return CirrusRegisters::kBlitStart;
  return offset < kIndexes.size() ? kIndexes[offset] : kNone;
}
}  // namespace

CirrusVga::CirrusVga()
    : PciDevice(gd5446()),
      banks_{SettledWindow("cirrus-vga.bank0", Priority::Window, kSettledBank),
             SettledWindow("cirrus-vga.bank1", Priority::Window, kSettledBank)},
      linear_("cirrus-vga.linear", Priority::Bar, kSettledLinear) {
  declare_memory_bar(0, kLinearBarBytes, kLinear, 8, true);
  declare_memory_bar(1, kRegisterBarBytes, kRegisterBar, 4);
}

Result<> CirrusVga::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  bus_memory_ = &board.memory();
  BackingStore& store = bus_memory_->store();
  video_memory_ = store.allocate(kVideoMemory, "cirrus-vga.memory");
  const std::span<u8> bytes = store.bytes(video_memory_, kVideoMemory);
  planes_.connect(bytes, &store, video_memory_);
  packed_.connect(bytes, &store, video_memory_);
  blitter_.connect(bytes, &store, video_memory_);
  text_window_.connect(*bus_memory_, bytes, video_memory_);
  for (SettledWindow& bank : banks_) bank.connect(*bus_memory_);
  linear_.connect(*bus_memory_);
  // Words are an index and its data.
  if (auto done = board.ports(*this, kMonochromePorts, kMonochromeBase, 7, 2); !done) return done;
  if (auto done = board.ports(*this, kColourPorts, kColourBase, kColourPortCount, 2); !done) return done;
  return bus_memory_->map_fixed(bus_memory_->new_key(), mmio_range("cirrus-vga.window", PhysAddr(kWindowBase),
                                                                   VgaMemory::kWindowBytes, this, kWindow, 8));
}

void CirrusVga::reset_function(ResetKind) {
  vga_.reset();
  registers_.reset();
  planes_.reset();
  packed_.reset();
  blitter_.reset();
  update_windows();
}

void CirrusVga::state_function(StateArchive& archive) {
  if (!archive.loading()) text_window_.sync();
  vga_.state(archive);
  archive.group("extensions", [&] { registers_.state(archive); });
  planes_.state(archive);
  archive.group("packed", [&] { packed_.state(archive); });
  archive.group("blitter", [&] { blitter_.state(archive); });
  if (!archive.loading()) return;
  drawn_ = false;
  update_windows();
}

void CirrusVga::config_written(unsigned, unsigned) { update_windows(); }

u64 CirrusVga::read(RegionId region, u64 offset, unsigned width) {
  u64 value = 0;
  if (blitter_.has_data() && reaches_memory(region, offset)) {
    for (unsigned i = 0; i < width && blitter_.has_data(); i++) value |= u64{blitter_.take()} << (i * 8);
    if (!blitter_.busy()) update_windows();
    return value;
  }
  for (unsigned i = 0; i < width; i++) value |= u64{read_byte(region, static_cast<u32>(offset + i))} << (i * 8);
  note_access(region, static_cast<u32>(offset), width);
  return value;
}

void CirrusVga::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (blitter_.waits_for_data() && reaches_memory(region, offset)) {
    // What is too much in the last word is lost.
    for (unsigned i = 0; i < width && blitter_.waits_for_data(); i++) blitter_.put(static_cast<u8>(value >> (i * 8)));
    if (!blitter_.busy()) update_windows();
    return;
  }
  for (unsigned i = 0; i < width; i++)
    write_byte(region, static_cast<u32>(offset + i), static_cast<u8>(value >> (i * 8)));
  note_access(region, static_cast<u32>(offset), width);
}

u8 CirrusVga::read_byte(RegionId region, u32 offset) {
  switch (region) {
    case kMonochromePorts: return read_port(static_cast<u16>(kMonochromeBase + offset));
    case kColourPorts: return read_port(static_cast<u16>(kColourBase + offset));
    case kWindow: return read_window(offset);
    case kLinear: return read_linear(offset);
    default:
      if (offset < kColourPortCount) return read_port(static_cast<u16>(kColourBase + offset));
      return offset / kRegisterBytes == 1 ? read_blit_register(offset % kRegisterBytes) : 0xFF;
  }
}

void CirrusVga::write_byte(RegionId region, u32 offset, u8 value) {
  switch (region) {
    case kMonochromePorts: return write_port(static_cast<u16>(kMonochromeBase + offset), value);
    case kColourPorts: return write_port(static_cast<u16>(kColourBase + offset), value);
    case kWindow: return write_window(offset, value);
    case kLinear: return write_linear(offset, value);
    default:
      if (offset < kColourPortCount) return write_port(static_cast<u16>(kColourBase + offset), value);
      if (offset / kRegisterBytes == 1) write_blit_register(offset % kRegisterBytes, value);
      return;
  }
}

u8 CirrusVga::read_port(u16 port) {
  const bool status = port == 0x3BA || port == 0x3DA;
  if (status) status_reads_.note();
  return registers_.read(port, status ? timing().status(scheduler_->now()) : 0, planes_.latch(), blitter_.busy());
}

void CirrusVga::write_port(u16 port, u8 value) { carry_out(registers_.write(port, value)); }

u8 CirrusVga::read_blit_register(u32 offset) const {
  const u8 index = graphics_index(offset);
  return index == kNone ? 0xFF : registers_.read_graphics(index, blitter_.busy());
}

void CirrusVga::write_blit_register(u32 offset, u8 value) {
  if (const u8 index = graphics_index(offset); index != kNone) carry_out(registers_.write_graphics(index, value));
}

void CirrusVga::carry_out(CirrusRegisters::Effect effect) {
  using Effect = CirrusRegisters::Effect;
  switch (effect) {
    case Effect::None: return;
    case Effect::Mapping: break;
    case Effect::StartBlit:
      if (blitter_.busy()) return;
      text_window_.show(false);  // its bytes go into video memory, and come back as the blit leaves them
      blitter_.start(registers_.graphics());
      break;
    case Effect::ResetBlit: blitter_.reset(); break;
  }
  update_windows();
}

// Whether an access leads to video memory, or to what a BitBLT takes for it while it waits for the CPU.
bool CirrusVga::reaches_memory(RegionId region, u64 offset) const {
  if (region == kWindow) return registers_.packed() && offset < kWindowBytes && vga_.memory_enabled();
  if (region != kLinear) return false;
  if (offset >= kBlitAperture) return offset < kBlitAperture + kVideoMemory;
  return offset < kVideoMemory && !(registers_in_linear() && offset >= kVideoMemory - kRegisterBytes);
}

bool CirrusVga::registers_in_window() const {
  return (registers_.sequencer(CirrusRegisters::kConfiguration) & (kRegistersMapped | kRegistersLinear)) ==
         kRegistersMapped;
}

bool CirrusVga::registers_in_linear() const {
  constexpr u8 kBoth = kRegistersMapped | kRegistersLinear;
  return (registers_.sequencer(CirrusRegisters::kConfiguration) & kBoth) == kBoth;
}

u8 CirrusVga::read_window(u32 offset) {
  if (!registers_.packed()) return planes_.read(offset);
  if (registers_in_window() && offset - kWindowRegisters < kRegisterBytes)
    return read_blit_register(offset - kWindowRegisters);
  if (offset >= kWindowBytes || !vga_.memory_enabled()) return 0xFF;
  return packed_.read(packed_.banked(offset));
}

void CirrusVga::write_window(u32 offset, u8 value) {
  if (!registers_.packed()) return planes_.write(offset, value);
  if (registers_in_window() && offset - kWindowRegisters < kRegisterBytes)
    return write_blit_register(offset - kWindowRegisters, value);
  if (offset >= kWindowBytes || !vga_.memory_enabled()) return;
  packed_.write(packed_.banked(offset), value);
}

u8 CirrusVga::read_linear(u32 offset) {
  if (offset >= kVideoMemory) return 0xFF;
  if (registers_in_linear() && offset >= kVideoMemory - kRegisterBytes)
    return read_blit_register(offset % kRegisterBytes);
  return packed_.read(offset);
}

void CirrusVga::write_linear(u32 offset, u8 value) {
  if (offset >= kVideoMemory) return;
  if (registers_in_linear() && offset >= kVideoMemory - kRegisterBytes)
    return write_blit_register(offset % kRegisterBytes, value);
  packed_.write(offset, value);
}

bool CirrusVga::read_run(RegionId region, u64 offset, std::span<u8> into) {
  if (region != kWindow || registers_.packed()) return false;
  if (offset < kWindowBytes && banks_[offset >> 15].settles_with(into.size())) return false;
  if (!planes_.read_run(static_cast<u32>(offset), into)) return false;
  note_access(region, static_cast<u32>(offset), into.size());
  return true;
}

bool CirrusVga::write_run(RegionId region, u64 offset, std::span<const u8> from) {
  if (region != kWindow || registers_.packed()) return false;
  if (offset < kWindowBytes && banks_[offset >> 15].settles_with(from.size())) return false;
  if (!planes_.write_run(static_cast<u32>(offset), from)) return false;
  note_access(region, static_cast<u32>(offset), from.size());
  return true;
}

bool CirrusVga::copy_run(RegionId region, u64 from, u64 to, unsigned width, u32 count) {
  return region == kWindow && !registers_.packed() &&
         planes_.copy_run(static_cast<u32>(from), static_cast<u32>(to), width, count);
}

void CirrusVga::note_access(RegionId region, u32 offset, std::size_t bytes) {
  if (region == kWindow && offset < kWindowBytes) banks_[offset >> 15].note(bytes);
  if (region == kLinear) linear_.note(bytes);
}

void CirrusVga::update_windows() {
  if (bus_memory_ == nullptr) return;
  const bool text = !registers_.packed() && planes_.text_is_linear();
  if (text != text_window_.shown()) text_window_.show(text);
  for (unsigned half = 0; half < banks_.size(); half++) {
    std::optional<u32> bank;
    if (!registers_.packed()) {
      if (planes_.window_is_linear()) bank = half * CirrusMemory::kBankBytes;
    } else if (vga_.memory_enabled() && !blitter_.busy()) {
      bank = packed_.plain_bank(half);
    }
    banks_[half].offer(PhysAddr(kWindowBase + half * CirrusMemory::kBankBytes), bank ? CirrusMemory::kBankBytes : 0,
                       video_memory_ + bank.value_or(0));
  }
  const u64 at = mapped_at(0);
  const u32 size = registers_in_linear() ? kVideoMemory - kPageSize : kVideoMemory;
  const bool plain = at != 0 && packed_.plain() && !blitter_.busy();
  linear_.offer(PhysAddr(at), plain ? size : 0, video_memory_);
}

std::string CirrusVga::mode_name() const {
  if (!packed_mode()) return vga_mode_name(vga_);
  const CirrusMode mode = CirrusMode::of(vga_, registers_);
  return fmt::format("GD5446 {}x{}x{}", mode.width, mode.height, mode.depth);
}

std::vector<std::string> CirrusVga::text_lines() {
  text_window_.sync();
  if (!text_mode() || !VgaGeometry::of(vga_).displayed) return {};
  return read_text(vga_, planes_.bytes());
}

const VgaTiming& CirrusVga::timing() {
  if (registers_.generation() != timing_of_) {
    // Firmware leaves the clocks of the last mode in the clock registers when it sets one of the VGA's own modes.
    timing_ = packed_mode() ? VgaTiming::of(vga_, registers_.dot_clock()) : VgaTiming::of(vga_);
    timing_of_ = registers_.generation();
  }
  return timing_;
}

}  // namespace relic86
