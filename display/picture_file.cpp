#include "display/picture_file.h"

#include <fmt/format.h>
#include <png.h>

namespace relic86 {

Result<Frame> read_picture(const std::string& path) {
  constexpr unsigned kWidest = 16384;
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_file(&image, path.c_str()) == 0)
    return Error{fmt::format("{}: {}; name a PNG file", path, image.message)};
  if (image.width > kWidest || image.height > kWidest) {
    png_image_free(&image);
    return Error{fmt::format("{}: a picture of {}x{} pixels is no screen", path, image.width, image.height)};
  }
  image.format = PNG_FORMAT_RGB;
  std::vector<u8> rgb(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, rgb.data(), 0, nullptr) == 0)
    return Error{fmt::format("{}: {}; name a PNG file", path, image.message)};
  Frame frame;
  frame.width = image.width;
  frame.height = image.height;
  frame.pixels.reserve(rgb.size() / 3);
  for (std::size_t i = 0; i + 2 < rgb.size(); i += 3)
    frame.pixels.push_back(u32{rgb[i]} << 16 | u32{rgb[i + 1]} << 8 | rgb[i + 2]);
  return frame;
}

}  // namespace relic86
