#include "batch/repetition.h"

#include <algorithm>

namespace relic86::batch {

void Repetition::byte(char c) {
  if (c != '\n') line_ += c;
  if (c == '\n' || line_.size() >= kLongest) line();
}

void Repetition::line() {
  // Time stamps at the beginning differ though nothing else does.
  if (line_.starts_with('[')) {
    if (const auto end = line_.find(']'); end != std::string::npos) line_.erase(0, end);
  }
  if (std::find(recent_.begin(), recent_.end(), line_) != recent_.end()) {
    if (++repeated_ >= kLines && !endless_) endless_ = line_;
  } else {
    repeated_ = 0;
    if (recent_.size() >= kTexts) recent_.erase(recent_.begin());
    recent_.push_back(line_);
  }
  line_.clear();
}

}  // namespace relic86::batch
