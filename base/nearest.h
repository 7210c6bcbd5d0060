// The word that somebody may have meant: for messages about unknown options and log items.
#pragma once

#include <span>
#include <string_view>

namespace relic86 {

// The one of words (not empty) with the fewest insertions, deletions and changes of letters from word; the first of
// equals.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> words);

}  // namespace relic86
