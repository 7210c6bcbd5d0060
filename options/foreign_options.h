// QEMU's options that relic86 takes without an effect, and those that it answers with a reason.
#pragma once

#include <string_view>

namespace relic86 {

struct ForeignOption {
  std::string_view name;
  bool argument;  // a word follows
  enum class Answer : unsigned char { Accept, Warn, Refuse } answer;
  std::string_view reason;   // for Warn and Refuse: cause; mend
  std::string_view words{};  // what may follow, separated by blanks; empty: anything
};

// Null: not one of them.
const ForeignOption* find_foreign_option(std::string_view name);

}  // namespace relic86
