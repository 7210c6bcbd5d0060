#include "devices/video/vga_geometry.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr u8 kScreenOff = 0x20;    // sequencer 1
constexpr u8 kEightDots = 0x01;    // sequencer 1
constexpr u8 kSyncEnabled = 0x80;  // CRTC 17h
constexpr u8 kWordAddress = 0x40;  // CRTC 17h, 0: word addressing
constexpr u8 kAddressWrap = 0x20;  // CRTC 17h, 1: bit 15 becomes bit 0, 0: bit 13
constexpr u8 kRowScanBits = 0x03;  // CRTC 17h, 0: row scan bits replace address bits 13 and 14
constexpr u8 kDoubleword = 0x40;   // CRTC 14h
constexpr u8 kDoubleScan = 0x80;   // CRTC 9
constexpr u8 kPanningMode = 0x20;  // attribute 10h, 1: the split screen is not panned
}  // namespace

unsigned overflow_value(const std::array<u8, 25>& crtc, u8 index, unsigned bit8, unsigned bit9) {
  const unsigned overflow = crtc[VgaRegisters::kOverflow];
  return crtc[index] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

VgaGeometry VgaGeometry::of(const VgaRegisters& registers) {
  const auto& crtc = registers.crtc();
  const u8 clocking = registers.sequencer()[VgaRegisters::kClockingMode];
  const u8 scan = crtc[VgaRegisters::kMaximumScanLine];
  const unsigned overflow = crtc[VgaRegisters::kOverflow];
  VgaGeometry g;
  g.columns = crtc[VgaRegisters::kHorizontalDisplayEnd] + 1u;
  g.character_dots = (clocking & kEightDots) != 0 ? 8 : 9;
  g.lines = overflow_value(crtc, VgaRegisters::kVerticalDisplayEnd, 1, 6) + 1;
  g.row_height = (scan & 0x1Fu) + 1;
  g.double_scan = (scan & kDoubleScan) != 0;
  g.start = crtc[VgaRegisters::kStartAddressHigh] * 256u + crtc[VgaRegisters::kStartAddressLow];
  g.pitch = crtc[VgaRegisters::kOffset] * 2u;
  g.line_compare = crtc[VgaRegisters::kLineCompare] | (overflow >> 4 & 1) << 8 | (scan >> 6 & 1u) << 9;
  g.blank_start = crtc[VgaRegisters::kStartVerticalBlank] | (overflow >> 3 & 1) << 8 | (scan >> 5 & 1u) << 9;
  // The end register holds the low eight bits of the line where blanking stops: the next match after the start.
  g.blank_end = g.blank_start + 1 + ((crtc[VgaRegisters::kEndVerticalBlank] - g.blank_start - 1) & 0xFF);
  g.total_columns = crtc[VgaRegisters::kHorizontalTotal] + 5u;
  g.column_blank_start = crtc[VgaRegisters::kStartHorizontalBlank];
  // Likewise with six bits, bit 5 of which is in the retrace register.
  const unsigned end_bits =
      (crtc[VgaRegisters::kEndHorizontalBlank] & 0x1Fu) | (crtc[VgaRegisters::kEndHorizontalRetrace] >> 7 & 1u) << 5;
  g.column_blank_end = g.column_blank_start + 1 + ((end_bits - g.column_blank_start - 1) & 0x3F);
  if (g.column_blank_end > g.total_columns) {
    // The counter starts again before they match: blanking lasts until the same six bits come up in the next line.
    g.column_blank_end = end_bits < g.column_blank_start ? g.total_columns + end_bits : ~0u;
  }
  g.displayed = (crtc[VgaRegisters::kModeControl] & kSyncEnabled) != 0 && (clocking & kScreenOff) == 0;
  return g;
}

bool VgaGeometry::column_blanked(unsigned column) const {
  if (column_blank_start >= total_columns) return false;  // never begins
  if (column >= column_blank_start) return column < column_blank_end;
  return column_blank_end > total_columns && column + total_columns < column_blank_end;
}

void VgaGeometry::blank_columns(std::span<u32> line, unsigned dots) const {
  if (column_blank_start >= columns && column_blank_end <= total_columns) return;  // every usual mode
  for (unsigned column = 0; column < columns && (column + 1) * dots <= line.size(); column++) {
    if (column_blanked(column)) std::fill_n(line.begin() + column * dots, dots, 0u);
  }
}

unsigned VgaGeometry::repeated_lines(const VgaRegisters& registers) const {
  const unsigned scans = double_scan ? 2 : 1;
  const bool row_scan_matters = (registers.crtc()[VgaRegisters::kModeControl] & kRowScanBits) != kRowScanBits;
  return registers.graphics_mode() && !row_scan_matters ? scans * row_height : scans;
}

u32 crtc_plane_address(const VgaRegisters& registers, u32 counter, unsigned row_scan) {
  const auto& crtc = registers.crtc();
  const u8 mode = crtc[VgaRegisters::kModeControl];
  u32 address = counter & 0xFFFF;
  // Doubleword addressing would shift by two, and chain-4 would leave two address bits unused. Video memory keeps
  // chain-4 pixels close together, so the two cancel out here (see vga_memory.h).
  if ((crtc[VgaRegisters::kUnderlineLocation] & kDoubleword) == 0 && (mode & kWordAddress) == 0) {
    const u32 carried = (mode & kAddressWrap) != 0 ? address >> 15 : address >> 13;
    address = ((address << 1) | (carried & 1)) & 0xFFFF;
  }
  if ((mode & 1) == 0) address = (address & ~0x2000u) | (row_scan & 1) << 13;
  if ((mode & 2) == 0) address = (address & ~0x4000u) | (row_scan >> 1 & 1) << 14;
  return address;
}

ScanlineWalker::ScanlineWalker(const VgaRegisters& registers)
    : geometry_(VgaGeometry::of(registers)),
      row_counter_(geometry_.start),
      counter_(0),
      byte_panning_(registers.crtc()[VgaRegisters::kPresetRowScan] >> 5 & 3u),
      row_scan_(registers.crtc()[VgaRegisters::kPresetRowScan] & 0x1Fu),
      panning_(registers.attribute()[VgaRegisters::kHorizontalPanning]),
      split_resets_panning_((registers.attribute()[VgaRegisters::kAttributeMode] & kPanningMode) != 0) {
  counter_ = row_counter_ + byte_panning_;
}

void ScanlineWalker::next() {
  row_start_ = false;
  if (line_++ == geometry_.line_compare) {
    row_counter_ = 0;
    row_scan_ = 0;
    second_scan_ = false;
    row_start_ = true;
    if (split_resets_panning_) {
      byte_panning_ = 0;
      // Nine-dot characters are unshifted at 8, others at 0.
      panning_ = geometry_.character_dots == 9 ? 8 : 0;
    }
  } else if (geometry_.double_scan && !second_scan_) {
    second_scan_ = true;
  } else {
    second_scan_ = false;
    if (row_scan_ + 1 == geometry_.row_height) {
      row_scan_ = 0;
      row_start_ = true;
      row_counter_ += geometry_.pitch;
    } else {
      row_scan_ = (row_scan_ + 1) & 0x1F;
    }
  }
  counter_ = row_counter_ + byte_panning_;
}

}  // namespace relic86
