// The other end of the guest's COM1: what the guest says is kept, searched and written to a log; what a test sends goes
// in at the pace at which the guest's port takes it.
#pragma once

#include <cstdio>
#include <deque>
#include <memory>
#include <regex>
#include <string>

#include "batch/repetition.h"
#include "char/char_backend.h"

namespace relic86::batch {

class Console final : public CharBackend {
 public:
  // A test begins: what was said before it is forgotten, and a log of its own is begun.
  Result<> begin(const std::string& log_file);

  void put(u8 byte) override;
  void pump() override;

  void send(std::string_view text) { to_guest_.insert(to_guest_.end(), text.begin(), text.end()); }
  bool sent() const { return to_guest_.empty(); }

  u64 bytes() const { return bytes_; }
  // Without carriage returns; of very long output the beginning is not kept.
  const std::string& text() const { return text_; }
  // Places in all of the text: its end so far, and the end of what patterns were found in.
  u64 end() const { return forgotten_ + text_.size(); }
  u64 consumed() const { return forgotten_ + consumed_; }
  // Looks for the pattern after what others were found in, as far as it has not been looked for there yet: a caller
  // looks for one pattern until it is found or given up (restart_search).
  bool find(const std::regex& pattern);
  void restart_search() { searched_ = consumed_; }
  // The next line, or the beginning of the last one, of which there is something that nobody has been given yet; false:
  // nothing new. A line that goes on comes again, longer. Very long ones come in pieces.
  bool next_line(std::string& line);
  std::string tail(std::size_t most) const;
  const Repetition& repetition() const { return repetition_; }
  // What the log could not take, the host's disk being full; empty: nothing.
  const std::string& log_trouble() const { return log_trouble_; }
  void flush() override;

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void forget_beginning();

  std::unique_ptr<std::FILE, Closer> log_;
  std::string log_file_;
  std::string log_trouble_;
  std::deque<char> to_guest_;
  std::string text_;
  std::size_t consumed_ = 0;   // of text_: by patterns that were found
  std::size_t searched_ = 0;   // by the one that is looked for
  std::size_t line_ = 0;       // where the line begins that next_line() tells of
  std::size_t line_told_ = 0;  // how far it has told of it
  u64 bytes_ = 0;
  u64 forgotten_ = 0;  // characters that are not in text_ any more
  Repetition repetition_;
};

}  // namespace relic86::batch
