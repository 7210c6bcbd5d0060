// --expect-serial, --expect-screen, --fail-serial: regular expressions watched while the guest runs.
#pragma once

#include <regex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "options/options.h"

namespace relic86 {

// Where a regular expression (ECMAScript) is looked for. A screen is searched whole, by a matcher that does not need
// the stack for it but cannot refer back to groups; serial output comes in pieces.
enum class Searched : u8 { Serial, Screen };
// The error says what is wrong with the pattern, and the mend.
Result<std::regex> compile_expectation(const std::string& text, Searched where);

// How serial output is searched: so many characters at once, and so many before them once more. Matches that span more
// than the window are not found; it bounds the work of a guest that prints for hours.
inline constexpr std::size_t kSearchedPiece = 1024;
inline constexpr std::size_t kSearchedWindow = 2048;

class Expectations {
 public:
  enum class Verdict : u8 { Pending, AllSeen, FailureSeen };

  static Result<Expectations> create(const Options& options);

  bool any() const { return !patterns_.empty(); }
  bool watches_serial() const;
  bool watches_screen() const;
  bool expects() const;  // there is an --expect-*, so a plain end of the guest is not success

  void serial_byte(u8 byte);                        // every byte of COM1; CRs are dropped
  void screen(std::span<const std::string> lines);  // the text screen, now and then
  Verdict check();                                  // looks at what has come since the last call; the first match wins

  const std::string& seen_text() const { return seen_; }  // the pattern that decided
  std::string missing() const;                            // the expectations not seen so far, for the message
  std::string serial_tail() const;                        // the last lines of COM1

 private:
  enum class Kind : u8 { ExpectSerial, ExpectScreen, FailSerial };
  struct Pattern {
    Kind kind;
    std::string text;
    std::regex regex;
    bool seen = false;
  };
  std::vector<Pattern> patterns_;
  std::string serial_;        // the part of COM1's output that is still searched
  std::size_t searched_ = 0;  // of serial_
  std::string seen_;
};

}  // namespace relic86
