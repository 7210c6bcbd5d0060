#include "devices/register_file.h"

#include <algorithm>

#include "base/assert.h"

namespace relic86 {

RegisterFile::RegisterFile(std::size_t size)
    : bytes_(size), reset_(size), writable_(size), write_one_clears_(size), changing_(size) {}

void RegisterFile::declare(std::span<const Row> rows, unsigned base) {
  for (const Row& row : rows) {
    RELIC86_ASSERT(base + row.offset + row.width <= bytes_.size());
    for (unsigned i = 0; i < row.width; i++) {
      const unsigned at = base + row.offset + i;
      const auto byte_of = [i](u32 value) { return static_cast<u8>(value >> (i * 8)); };
      reset_[at] = byte_of(row.reset);
      writable_[at] = byte_of(row.writable);
      write_one_clears_[at] = byte_of(row.write_one_clears);
      changing_[at] = byte_of(row.writable | row.write_one_clears | row.changing);
    }
  }
}

void RegisterFile::reset() { bytes_ = reset_; }

void RegisterFile::reset(unsigned first, unsigned count) {
  RELIC86_ASSERT(first + count <= bytes_.size());
  std::copy_n(reset_.begin() + first, count, bytes_.begin() + first);
}

u32 RegisterFile::read(unsigned offset, unsigned width) const {
  u32 value = 0;
  for (unsigned i = 0; i < width && offset + i < bytes_.size(); i++) value |= u32{bytes_[offset + i]} << (i * 8);
  return value;
}

void RegisterFile::write_byte(unsigned offset, u8 value) {
  if (offset >= bytes_.size()) return;
  u8& byte = bytes_[offset];
  byte = static_cast<u8>((byte & ~writable_[offset]) | (value & writable_[offset]));
  byte = static_cast<u8>(byte & ~(value & write_one_clears_[offset]));
}

void RegisterFile::set(unsigned offset, unsigned width, u32 value) {
  RELIC86_ASSERT(offset + width <= bytes_.size());
  for (unsigned i = 0; i < width; i++) bytes_[offset + i] = static_cast<u8>(value >> (i * 8));
}

void RegisterFile::state(StateArchive& archive, std::string_view name, unsigned fixed) {
  archive.bytes(name, bytes_);
  for (unsigned i = 0; archive.loading() && i < fixed; i++) {
    if (writable_[i] == 0) bytes_[i] = reset_[i];
  }
}

void RegisterFile::state(StateArchive& archive, std::string_view name) {
  archive.bytes(name, bytes_);
  if (!archive.loading()) return;
  for (std::size_t i = 0; i < bytes_.size(); i++)
    bytes_[i] = static_cast<u8>((bytes_[i] & changing_[i]) | (reset_[i] & ~changing_[i]));
}

}  // namespace relic86
