// qcow2_writer IMAGE: carries out lines of qemu-io's language on an image, so that tests/block/qcow2_soak can give either
// program the same ones, and end either at any moment.
//
//   write -P BYTE OFFSET LENGTH    write -z OFFSET LENGTH    discard OFFSET LENGTH    flush    dump FILE
//
// A line of its own tells when each is done.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "block/open_image.h"

namespace {

using namespace relic86;

Result<> dump(DiskImage& image, const std::string& file) {
  std::vector<u8> bytes(static_cast<std::size_t>(image.size_bytes()));
  if (auto read = image.read(0, bytes); !read) return read;
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return out.flush() ? Result<>() : Error{file + ": cannot be written"};
}

Result<> carry_out(DiskImage& image, const std::string& line) {
  std::istringstream words(line);
  std::string what, how;
  unsigned byte = 0;
  u64 offset = 0, length = 0;
  words >> what;
  if (what == "flush") return image.flush();
  if (what == "dump" && words >> how) return dump(image, how);
  if (what == "discard" && words >> offset >> length) return image.discard(offset, length);
  if (what == "write" && words >> how && how == "-z" && words >> offset >> length)
    return image.write_zeroes(offset, length);
  if (what == "write" && how == "-P" && words >> byte >> offset >> length)
    return image.write(offset, std::vector<u8>(static_cast<std::size_t>(length), static_cast<u8>(byte)));
  return Error{"no such line: " + line};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: qcow2_writer IMAGE\n";
    return EXIT_FAILURE;
  }
  auto image = open_image({.file = arguments[1]}, HostFile::Access::ReadWrite);
  if (!image) {
    std::cerr << image.message() << '\n';
    return EXIT_FAILURE;
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (auto done = carry_out(*image.value(), line); !done) {
      std::cerr << line << ": " << done.message() << '\n';
      return EXIT_FAILURE;
    }
    std::cout << line << std::endl;  // at once: whoever asked may end this program next
  }
  return EXIT_SUCCESS;
}
