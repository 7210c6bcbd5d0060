#include "batch/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "machine/expectations.h"

namespace relic86::batch {

namespace {
constexpr std::size_t kKept = std::size_t{1} << 20;  // of the text; half of it goes when there is more
}

Result<> Console::begin(const std::string& log_file) {
  log_.reset(std::fopen(log_file.c_str(), "wbe"));
  log_file_ = log_file;
  if (log_ == nullptr)
    return Error{
        fmt::format("{}: cannot be written: {}; choose another folder (--results)", log_file, std::strerror(errno))};
  to_guest_.clear();
  text_.clear();
  consumed_ = searched_ = line_ = line_told_ = 0;
  bytes_ = forgotten_ = 0;
  repetition_ = {};
  return {};
}

void Console::put(u8 byte) {
  bytes_++;
  if (log_ && std::fputc(byte, log_.get()) == EOF && log_trouble_.empty())
    log_trouble_ = fmt::format("{}: cannot be written: {}; make room", log_file_, std::strerror(errno));
  if (byte == '\r') return;
  const char c = static_cast<char>(byte);
  text_ += c;
  repetition_.byte(c);
  if (text_.size() > kKept) forget_beginning();
}

void Console::forget_beginning() {
  const std::size_t gone = text_.size() / 2;
  text_.erase(0, gone);
  forgotten_ += gone;
  for (std::size_t* place : {&consumed_, &searched_, &line_, &line_told_}) *place -= std::min(*place, gone);
}

void Console::pump() {
  while (!to_guest_.empty() && receiver_ != nullptr && receiver_->can_receive()) {
    const char c = to_guest_.front();
    to_guest_.pop_front();
    receiver_->receive(static_cast<u8>(c));
  }
}

bool Console::find(const std::regex& pattern) {
  while (searched_ < text_.size()) {
    const std::size_t begin = std::max(consumed_, searched_ > kSearchedWindow ? searched_ - kSearchedWindow : 0);
    const std::size_t end = std::min(searched_ + kSearchedPiece, text_.size());
    const auto place = [&](std::size_t offset) { return text_.cbegin() + static_cast<std::ptrdiff_t>(offset); };
    std::smatch match;
    searched_ = end;
    if (!std::regex_search(place(begin), place(end), match, pattern)) continue;
    consumed_ = begin + static_cast<std::size_t>(match.position() + match.length());
    searched_ = consumed_;
    return true;
  }
  return false;
}

bool Console::next_line(std::string& line) {
  if (line_told_ >= text_.size()) return false;
  constexpr std::size_t kLongest = 1024, kOverlap = 128;
  const std::size_t end = text_.find('\n', line_told_);
  const std::size_t stop = std::min(end == std::string::npos ? text_.size() : end, line_ + kLongest);
  line = text_.substr(line_, stop - line_);
  line_told_ = stop;
  if (stop == end) line_ = line_told_ = end + 1;
  if (line.size() == kLongest && stop != end) line_ = stop - kOverlap;
  return true;
}

std::string Console::tail(std::size_t most) const {
  return text_.size() <= most ? text_ : text_.substr(text_.size() - most);
}

void Console::flush() {
  if (log_ && std::fflush(log_.get()) != 0 && log_trouble_.empty())
    log_trouble_ = fmt::format("{}: cannot be written: {}; make room", log_file_, std::strerror(errno));
}

}  // namespace relic86::batch
