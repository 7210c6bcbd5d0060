// What the CRT controller's registers mean for the picture: its size, and the memory address of every scan line.
#pragma once

#include <span>

#include "devices/video/vga_registers.h"

namespace relic86 {

// A vertical parameter of 10 bits: 8 in its own register, bit 8 and bit 9 in the overflow register.
unsigned overflow_value(const std::array<u8, 25>& crtc, u8 index, unsigned bit8, unsigned bit9);

struct VgaGeometry {
  unsigned columns = 1;         // character clocks displayed, 1 to 256
  unsigned character_dots = 8;  // 8 or 9
  unsigned lines = 1;           // scan lines displayed, 1 to 1024
  unsigned row_height = 1;      // scan lines of a character row, 1 to 32
  bool double_scan = false;     // each row scan takes two lines
  unsigned start = 0;           // address counter at the top left
  unsigned pitch = 0;           // address counter steps from row to row
  unsigned line_compare = 0;    // the last line above the split screen
  unsigned blank_start = 0;     // lines blank_start to blank_end - 1 are black
  unsigned blank_end = 0;
  // Horizontal blanking: character clocks column_blank_start to column_blank_end - 1 are black. It may go on into the
  // next line, whose first columns are then black, too.
  unsigned column_blank_start = 0;
  unsigned column_blank_end = 0;
  unsigned total_columns = 0;  // character clocks of a line
  bool displayed = false;      // sync running, screen not off

  static VgaGeometry of(const VgaRegisters& registers);
  // Lines of equal content that follow each other in every row: a picture needs only one of them.
  unsigned repeated_lines(const VgaRegisters& registers) const;
  bool blanked(unsigned line) const { return line >= blank_start && line < blank_end; }
  bool column_blanked(unsigned column) const;
  // Makes the blanked columns of a scan line black. dots: pixels of a character clock.
  void blank_columns(std::span<u32> line, unsigned dots) const;
};

// The plane address (0 to FFFFh) that the CRTC puts out for an address counter and a row scan: byte, word and
// doubleword addressing and the row scan bits that CGA and Hercules layouts need (CRTC 14h and 17h).
u32 crtc_plane_address(const VgaRegisters& registers, u32 counter, unsigned row_scan);

// Goes through the scan lines of a picture from the top.
class ScanlineWalker {
 public:
  explicit ScanlineWalker(const VgaRegisters& registers);

  unsigned line() const { return line_; }
  u32 counter() const { return counter_; }  // of the first column, byte panning included
  unsigned row_scan() const { return row_scan_; }
  bool row_start() const { return row_start_; }  // first line of a character row that is shown
  unsigned panning() const { return panning_; }  // attribute register 13h, as it counts here
  void next();

 private:
  VgaGeometry geometry_;
  u32 row_counter_;
  u32 counter_;
  u32 byte_panning_;
  unsigned row_scan_;
  unsigned panning_;
  unsigned line_ = 0;
  bool row_start_ = true;
  bool second_scan_ = false;
  bool split_resets_panning_;
};

}  // namespace relic86
