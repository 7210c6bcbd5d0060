// The BitBLT engine of the GD5446. A blit within video memory is done when its start returns; one whose source or
// target is the CPU goes on with every byte that the CPU writes or reads. Addresses wrap around at the end of video
// memory, and a blit has at most 8192 x 2048 bytes, whatever the registers hold.
#pragma once

#include <array>
#include <span>

#include "devices/video/cirrus_blit.h"
#include "memory/backing_store.h"

namespace relic86 {

class CirrusBlitter {
 public:
  // bytes: all video memory, a power of two of at least 64 KiB. store and first: where it lies, told of every write;
  // store may be null (tests).
  void connect(std::span<u8> bytes, BackingStore* store, BackingOffset first);
  void reset();
  void state(StateArchive& archive);

  // What the registers ask for, from its beginning; a blit that waits for the CPU is forgotten.
  void start(const CirrusRegisters::GraphicsFile& registers);
  bool waits_for_data() const { return transfer_ == Transfer::In; }
  bool has_data() const { return transfer_ == Transfer::Out; }
  bool busy() const { return transfer_ != Transfer::None; }
  void put(u8 byte);  // while waits_for_data()
  u8 take();          // while has_data()

 private:
  enum class Transfer : u8 { None, In, Out };
  static constexpr std::size_t kMostWidth = 8192;

  void run();
  void finish();
  void line_from_system();
  void line_to_system();
  void copy_lines();
  void copy_by_pixels(u32 to, u32 from);
  void pattern_lines();
  // A line of bits, which eight pixels for all of it repeat, or of a pattern's pixels as bytes in row_; of bits mask_
  // says which are drawn with transparency.
  void expand(std::span<const u8> bits);
  void fill_row(std::span<const u8> pattern_row);
  void draw_row(u32 to);
  // Combines source, which is not in video memory, or lies apart, with the bytes from address `to` on.
  void draw(u32 to, std::span<const u8> source, const u8* mask);
  void mask_by_key(u32 to, std::span<const u8> source);
  void fetch(u32 from, std::span<u8> into) const;
  u8 combined(u32 to, u8 source) const;
  u32 wrapped(u32 address) const { return address & static_cast<u32>(bytes_.size() - 1); }
  void note(u32 first, u32 size);

  std::span<u8> bytes_;
  BackingStore* store_ = nullptr;
  BackingOffset first_{};

  CirrusRegisters::GraphicsFile program_{};  // the registers when the blit began
  CirrusBlit blit_;                          // what they mean
  u8 table_ = 0;                             // of its raster operation
  Transfer transfer_ = Transfer::None;
  u32 line_ = 0;    // of a transfer
  u32 filled_ = 0;  // bytes of buffer_ that the CPU has written or read
  std::array<u8, kMostWidth> buffer_{};
  std::array<u8, kMostWidth + 4> row_{};   // a pixel may stand out over the end of a line
  std::array<u8, kMostWidth + 4> mask_{};  // FFh: drawn
};

}  // namespace relic86
