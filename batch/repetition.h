// Whether a guest's output says nothing new any more: the same few lines again and again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace relic86::batch {

class Repetition {
 public:
  // Lines without a new text among them that are taken for endless output, and how many different texts they may have.
  static constexpr unsigned kLines = 1000;
  static constexpr std::size_t kTexts = 8;
  // A line without an end is taken in pieces of this length.
  static constexpr std::size_t kLongest = 256;

  void byte(char c);
  // The repeated text once there were too many; it stays so.
  const std::optional<std::string>& endless() const { return endless_; }

 private:
  void line();

  std::string line_;
  std::vector<std::string> recent_;  // the last different texts, the oldest first
  unsigned repeated_ = 0;            // lines since the last text that was not among recent_
  std::optional<std::string> endless_;
};

}  // namespace relic86::batch
