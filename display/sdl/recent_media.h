// The media that the user has put into drives by the window, the latest first: kept from one start to the next in
// $XDG_STATE_HOME/relic86/recent-media, one path a line.
#pragma once

#include <string>
#include <vector>

namespace relic86 {

class RecentMedia {
 public:
  // Those that are still there.
  const std::vector<std::string>& list() const { return list_; }
  // Reads what other windows have noted by now.
  void read();
  void note(const std::string& medium);

 private:
  std::vector<std::string> list_;
};

}  // namespace relic86
