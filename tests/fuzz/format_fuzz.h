// What every fuzzer of an image format does with its input: the file is opened for reading and for writing, and used.
// Files that it names are never there: no input opens anything of the host.
#pragma once

#include <cstdlib>

#include "block/neighbours.h"
#include "tests/block/memory_file.h"

namespace relic86::fuzz {

inline void use_image(DiskImage& image) {
  const u64 size = image.size_bytes();
  std::vector<u8> bytes(3000, 0x5A);
  const auto length = static_cast<std::size_t>(std::min<u64>(size, bytes.size()));
  const auto piece = std::span(bytes).first(length);
  (void)image.info();
  for (const u64 offset : {u64{0}, size / 3, size / 2 + 100, size - length}) {
    if (offset > size - length) continue;
    (void)image.read(offset, piece);
    if (!image.read_only()) (void)image.write(offset, piece);
    (void)image.read(offset, piece);
  }
  if (image.read(size, std::span(bytes).first(1)).ok()) std::abort();
  if (image.read_only()) return;
  (void)image.flush();
  (void)image.write_zeroes(0, std::min<u64>(size, 100'000));
  (void)image.discard(size / 2, std::min<u64>(size / 2, 100'000));
  (void)image.flush();
}

template <class Image>
void try_format(std::span<const u8> data) {
  constexpr u64 kLongest = 4 << 20;
  for (const bool read_only : {true, false}) {
    const auto content = std::make_shared<test::MemoryFileContent>();
    content->bytes.assign(data.begin(), data.end());
    content->longest = std::max<u64>(data.size(), kLongest);
    content->read_only = read_only;
    auto image = Image::open(
        std::make_unique<test::MemoryFile>(content),
        {[](const std::string& name, const std::string&) -> Result<std::unique_ptr<DiskImage>> {
           if (name.empty()) return std::unique_ptr<DiskImage>();
           return Error{name + ": not found"};
         },
         [](const std::string& name) -> Result<std::unique_ptr<ImageFile>> { return Error{name + ": not found"}; }});
    if (image) use_image(*image.value());
  }
}

}  // namespace relic86::fuzz
