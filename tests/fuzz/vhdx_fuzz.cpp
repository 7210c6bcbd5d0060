// VHDX images. They are megabytes long, and most of it is empty: the input is a list of changes of a sound one, eight
// bytes each: an area, a 24-bit place in it, and a 32-bit number. Checksums are put right afterwards, but for an area
// of 7.
#include "base/byte_order.h"
#include "block/vhdx_image.h"
#include "tests/block/sparse_builders.h"
#include "tests/fuzz/format_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  struct Area {
    std::size_t at, length;
  };
  constexpr Area kAreas[] = {{128 << 10, 80}, {192 << 10, 80}, {1 << 20, 200},          {(1 << 20) + 4096, 4096},
                             {2 << 20, 64},   {3 << 20, 160},  {(3 << 20) + 65536, 20}, {256 << 10, 80}};
  static const std::vector<u8> sound = [] {
    std::vector<u8> bytes = test::empty_vhdx(3 << 20);
    const std::size_t log = 1 << 20;
    test::put_text(bytes, log, "loge");
    store_le<u32>(bytes, log + 8, 8192);
    store_le<u64>(bytes, log + 16, 9);
    store_le<u32>(bytes, log + 24, 2);
    std::fill_n(bytes.begin() + log + 32, 16, u8{0xAB});
    test::put_text(bytes, log + 64, "desc");
    store_le<u64>(bytes, log + 64 + 16, 2 << 20);
    store_le<u64>(bytes, log + 64 + 24, 9);
    test::put_text(bytes, log + 96, "zero");
    store_le<u64>(bytes, log + 96 + 8, 4096);
    store_le<u64>(bytes, log + 96 + 16, 3 << 20);
    store_le<u64>(bytes, log + 96 + 24, 9);
    test::put_text(bytes, log + 4096, "data");
    store_le<u32>(bytes, log + 8192 - 4, 9);
    return bytes;
  }();
  std::vector<u8> bytes = sound;
  bool checksums = true;
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const Area& area = kAreas[data[i] % std::size(kAreas)];
    const u32 place = load_le<u32>({data, size}, i) >> 8;
    store_le<u32>(bytes, area.at + place % (area.length - 3), load_le<u32>({data, size}, i + 4));
    checksums = checksums && data[i] != 7;
  }
  if (checksums) {
    test::put_vhdx_checksum(bytes, 128 << 10, 4096);
    test::put_vhdx_checksum(bytes, 192 << 10, 65536);
    const u32 length = load_le<u32>(bytes, (1 << 20) + 8);
    if (length >= 64 && length <= 1 << 20) test::put_vhdx_checksum(bytes, 1 << 20, length);
  }
  fuzz::try_format<VhdxImage>(bytes);
  return 0;
}
