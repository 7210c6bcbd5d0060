#include "options/machine_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace relic86 {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "machine.toml";
constexpr std::size_t kLongestName = 64;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<std::string> machines_folder() {
  // The specification has relative paths ignored.
  const std::string data = environment("XDG_DATA_HOME");
  if (data.starts_with('/')) return data + "/relic86/machines";
  const std::string home = environment("HOME");
  if (home.starts_with('/')) return home + "/.local/share/relic86/machines";
  return Error{"there is no folder for machines: neither XDG_DATA_HOME nor HOME names one; set HOME"};
}

Result<std::string> machine_folder(std::string_view name) {
  auto folder = machines_folder();
  if (!folder) return folder;
  return fmt::format("{}/{}", folder.value(), name);
}

Result<> check_machine_name(std::string_view name) {
  const auto sound = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+").find(c) != std::string_view::npos;
  };
  if (!name.empty() && name.size() <= kLongestName && name[0] != '.' && name[0] != '-' &&
      std::all_of(name.begin(), name.end(), sound))
    return {};
  return Error{
      fmt::format("'{}' cannot name a machine; 1 to {} letters, digits, '.', '_', '-' or '+', no '.' or '-' first",
                  name, kLongestName)};
}

std::optional<std::string> find_machine(std::string_view name) {
  if (!check_machine_name(name)) return std::nullopt;
  const auto folder = machine_folder(name);
  std::error_code failure;
  if (!folder || !fs::exists(folder.value() + "/" + kFileName, failure)) return std::nullopt;
  return folder.value() + "/" + kFileName;
}

std::vector<std::string> machine_names() {
  std::vector<std::string> names;
  const auto folder = machines_folder();
  if (!folder) return names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder.value(), failure)) {
    const std::string name = entry.path().filename().string();
    if (find_machine(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace relic86
