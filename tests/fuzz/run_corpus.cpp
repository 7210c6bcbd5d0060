// The main() of a fuzz target that is built without libFuzzer: [-mutations=N] [-seed=S] FILE|FOLDER...
// Every file is one input, run once; then N random changes of them. It sees no coverage, but it runs in every build.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

Input read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Input{std::istreambuf_iterator<char>(file), {}};
}

void mutate(Input& input, std::mt19937& random) {
  constexpr std::size_t kLongest = 8192;
  for (unsigned deeds = 1 + random() % 8; deeds > 0; deeds--) {
    const std::size_t at = input.empty() ? 0 : random() % input.size();
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 6) {
      case 0:
        if (!input.empty()) *place = static_cast<std::uint8_t>(random());
        break;
      case 1:
        if (!input.empty()) *place = static_cast<std::uint8_t>(*place ^ 1u << random() % 8);
        break;
      case 2:
        if (!input.empty()) *place = random() % 2 == 0 ? 0 : 0xFF;
        break;
      case 3: input.insert(place, 1 + random() % 16, static_cast<std::uint8_t>(random())); break;
      case 4:  // new bytes at the end
        for (unsigned count = 1 + random() % 16; count > 0; count--)
          input.push_back(static_cast<std::uint8_t>(random()));
        break;
      default: input.resize(input.size() - std::min<std::size_t>(input.size(), random() % 16)); break;
    }
  }
  if (input.size() > kLongest) input.resize(kLongest);
}

bool number_after(std::string_view word, std::string_view name, unsigned& number) {
  if (!word.starts_with(name)) return false;
  word.remove_prefix(name.size());
  std::from_chars(word.data(), word.data() + word.size(), number);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned mutations = 0, seed = 1;
  std::vector<std::filesystem::path> paths;
  for (const std::string_view word : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (number_after(word, "-mutations=", mutations) || number_after(word, "-seed=", seed)) continue;
    if (word.starts_with('-')) continue;  // libFuzzer's switches
    if (!std::filesystem::is_directory(word)) {
      paths.emplace_back(word);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(word)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> inputs;
  for (const auto& path : paths) inputs.push_back(read(path));
  if (inputs.empty()) return 1;
  for (const Input& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937 random(seed);
  for (unsigned i = 0; i < mutations; i++) {
    Input input = inputs[random() % inputs.size()];
    mutate(input, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  fmt::print("{} inputs, {} mutations with seed {}\n", inputs.size(), mutations, seed);
  return 0;
}
