// A file that holds an image: what formats are read from and written to. Host files implement it, and tests do in
// memory.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class ImageFile {
 public:
  virtual ~ImageFile() = default;

  virtual const std::string& path() const = 0;
  virtual u64 size_bytes() const = 0;
  virtual bool read_only() const = 0;

  // A range that does not lie wholly within size_bytes() is an error.
  virtual Result<> read(u64 offset, std::span<u8> bytes) = 0;
  // Writing beyond the end makes the file longer; what lies in between reads as zeros.
  virtual Result<> write(u64 offset, std::span<const u8> bytes) = 0;
  // As far as the host tells, reading this would not wait for its disk.
  virtual bool ready_to_read(u64 /*offset*/, u64 /*length*/) { return true; }
  // What was written before is on the host's disk when this returns.
  virtual Result<> flush() = 0;
  // Makes the file longer (with zeros) or shorter.
  virtual Result<> resize(u64 size) = 0;
  // Gives a range's space back to the host; it reads as zeros afterwards. False: the file system cannot.
  virtual bool punch_hole(u64 offset, u64 length) = 0;
  // The range reads as zeros afterwards, without their bytes having been moved. False: it cannot be done so.
  virtual bool write_zeroes(u64 /*offset*/, u64 /*length*/) { return false; }
  // How many bytes from an offset on, of so many, are alike: data, or a hole, which reads as zeros.
  struct Run {
    bool data = true;
    u64 length = 0;
  };
  virtual Run run_at(u64 /*offset*/, u64 length) { return {true, length}; }
  // Whether something has failed for want of room since this was asked last.
  virtual bool take_full() { return false; }
  // What the file takes on the host's disk.
  virtual u64 allocated_bytes() const = 0;
  // When the content was last changed, in nanoseconds since 1970; 0 if the host cannot tell.
  virtual i64 modified_ns() const = 0;
};

// What lies beyond the file's end reads as zeros.
inline Result<> read_padded(ImageFile& file, u64 offset, std::span<u8> bytes) {
  const u64 size = file.size_bytes();
  const auto there = static_cast<std::size_t>(offset < size ? std::min<u64>(bytes.size(), size - offset) : 0);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), u8{0});
  return there == 0 ? Result<>() : file.read(offset, bytes.first(there));
}

}  // namespace relic86
