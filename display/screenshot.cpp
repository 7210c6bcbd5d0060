#include "display/screenshot.h"

#include <fmt/format.h>
#include <png.h>

#include <vector>

#include "base/output_file.h"

namespace relic86 {

namespace {

Error trouble(const std::string& path, std::string_view cause) {
  return {fmt::format("cannot write screenshot '{}': {}", path, cause)};
}

std::vector<u8> rgb_bytes(const Frame& frame) {
  std::vector<u8> bytes;
  bytes.reserve(frame.pixels.size() * 3);
  for (const u32 pixel : frame.pixels) {
    bytes.push_back(static_cast<u8>(pixel >> 16));
    bytes.push_back(static_cast<u8>(pixel >> 8));
    bytes.push_back(static_cast<u8>(pixel));
  }
  return bytes;
}

// The whole file in memory: nothing of libpng's error handling by longjmp is needed then.
Result<std::vector<u8>> png_bytes(const Frame& frame, const std::vector<u8>& rgb) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = frame.width;
  image.height = frame.height;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<u8> bytes(size);
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, rgb.data(), 0, nullptr) == 0) {
    return Error{image.message};
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

Result<> write_screenshot(const Frame& frame, const std::string& path, PictureFormat format) {
  if (frame.width == 0 || frame.height == 0 || frame.pixels.size() < std::size_t{frame.width} * frame.height) {
    return trouble(path, "the guest shows no picture yet; try again when it does");
  }
  std::vector<u8> content = rgb_bytes(frame);
  if (format == PictureFormat::Png) {
    auto png = png_bytes(frame, content);
    if (!png) return trouble(path, png.message());
    content = std::move(png).value();
  } else {
    const std::string header = fmt::format("P6\n{} {}\n255\n", frame.width, frame.height);
    content.insert(content.begin(), header.begin(), header.end());
  }
  auto file = OutputFile::create(path);
  if (!file) return trouble(path, file.message());
  auto written = file.value().write(content);
  if (written) written = file.value().commit();
  return written ? Result<>{} : trouble(path, written.message());
}

}  // namespace relic86
