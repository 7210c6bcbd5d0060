// Machine files from anybody: any text gives options or a message.
#include <cstdint>
#include <string>
#include <string_view>

#include "options/machine_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  const std::string file = "fuzz.toml";
  const auto tree = parse_toml({reinterpret_cast<const char*>(data), size}, file);
  if (!tree) return 0;
  Options options;
  const auto taken = take_machine_tree(options, file, tree.value());
  // Every mistake has its place.
  if (!taken && !taken.message().starts_with(file + ":")) __builtin_trap();
  return 0;
}
