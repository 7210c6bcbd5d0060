// Disk images: format probing, partition tables that tell a geometry, boot sectors that tell a floppy's format, and
// reads at the edges. Input: the image's file.
#include <cstdlib>

#include "block/open_image.h"
#include "devices/storage/disk_geometry.h"
#include "devices/storage/floppy_image.h"
#include "tests/fuzz/scratch_file.h"

namespace relic86 {
namespace {

void try_image(const std::string& path, ImageFormat format) {
  auto image = open_image({.file = path, .format = format}, HostFile::Access::ReadOnly);
  if (!image || image.value()->size_bytes() < 512) return;
  const u64 size = image.value()->size_bytes();
  const DiskLayout layout = guess_disk_layout(*image.value());
  const DiskGeometry& geometry = layout.geometry;
  if (geometry.heads < 1 || geometry.heads > 16 || geometry.sectors < 1 || geometry.sectors > 63) std::abort();
  std::vector<u8> bytes(1024);
  for (const u64 offset : {u64{0}, size - 512, size, ~u64{0} - 511}) (void)image.value()->read(offset, bytes);
  auto floppy = FloppyImage::open(std::move(image).value(), path);
  if (!floppy) return;
  const u32 sectors = floppy.value().format().total_sectors();
  if (sectors == 0) std::abort();
  for (const u32 sector : {0u, sectors - 1}) (void)floppy.value().read(sector, std::span(bytes).first(512));
}

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::ScratchFile file;
  file.hold({data, size});
  try_image(file.path(), ImageFormat::Probe);
  try_image(file.path(), ImageFormat::Raw);
  return 0;
}
