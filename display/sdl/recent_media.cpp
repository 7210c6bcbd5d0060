#include "display/sdl/recent_media.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace relic86 {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMost = 8;

// Empty: the user has no home.
fs::path file() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && fs::path(state).is_absolute()) return fs::path(state) / "relic86/recent-media";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != 0 ? fs::path(home) / ".local/state/relic86/recent-media" : fs::path();
}

// "fat:floppy:/home/anne/letters" is there while the folder is.
bool exists(const std::string& medium) {
  std::error_code failure;
  const auto slash = medium.find('/');
  return slash != std::string::npos && fs::exists(medium.substr(slash), failure);
}

}  // namespace

void RecentMedia::read() {
  const fs::path path = file();
  if (path.empty()) return;
  std::ifstream lines(path);
  if (!lines) return;  // what this window has noted stays
  list_.clear();
  for (std::string line; list_.size() < kMost && std::getline(lines, line);) {
    if (exists(line)) list_.push_back(line);
  }
}

// Where nothing can be written (-sandbox, a full disk) the list lasts as long as the window.
void RecentMedia::note(const std::string& medium) {
  if (medium.find('\n') != std::string::npos) return;
  read();
  std::erase(list_, medium);
  list_.insert(list_.begin(), medium);
  if (list_.size() > kMost) list_.pop_back();
  const fs::path path = file();
  if (path.empty()) return;
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  const fs::path made = path.string() + "." + std::to_string(getpid());
  {
    std::ofstream lines(made);
    for (const std::string& line : list_) lines << line << '\n';
    if (!lines.flush()) return;
  }
  fs::rename(made, path, failure);
}

}  // namespace relic86
