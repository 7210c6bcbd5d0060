// A window in which a file of the host is chosen, or a name for a new one given.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace relic86 {

class MenuPicker {
 public:
  enum class Purpose { OpenFile, NewFile };
  // chosen: called with an absolute path when the user has decided.
  void open(Purpose purpose, std::string title, const std::string& folder, std::function<void(std::string)> chosen);
  bool is_open() const { return open_; }
  // It does not take text yet.
  bool appearing() const { return frames_ < kFramesUntilText; }
  // The widgets of a frame.
  void draw();

 private:
  void enter(const std::string& folder);
  void decide();

  bool open_ = false;
  static constexpr unsigned kFramesUntilText = 5;
  unsigned frames_ = kFramesUntilText;  // since it was opened
  Purpose purpose_ = Purpose::OpenFile;
  std::string title_;
  std::string folder_;
  std::string path_;  // as the user types it
  std::string trouble_;
  std::vector<std::string> folders_, files_;
  std::function<void(std::string)> chosen_;
};

}  // namespace relic86
