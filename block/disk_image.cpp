#include "block/disk_image.h"

#include <fmt/format.h>

namespace relic86 {

Result<> DiskImage::stand_on(std::shared_ptr<DiskImage> image) {
  if (!image) return {};
  return Error{
      fmt::format("{}: images of format {} have no backing files here; use qcow2", info().file, info().format)};
}

Result<> DiskImage::name_backing(const std::string& file, const std::string& /*format*/) {
  if (file.empty()) return {};
  return Error{
      fmt::format("{}: images of format {} name no backing files here; use qcow2", info().file, info().format)};
}

Result<> DiskImage::resize(u64 size) {
  if (size == size_bytes()) return {};
  return Error{fmt::format("{}: images of format {} keep their size here; qemu-img resize changes it", info().file,
                           info().format)};
}

}  // namespace relic86
