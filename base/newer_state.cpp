#include "base/newer_state.h"

namespace relic86 {

// A copy of the reader is asked, so that the reader itself has nothing to complain of.
bool lacks_field(const StateArchive& archive, std::string_view name) {
  const auto* const reader = dynamic_cast<const StateReader*>(&archive);
  if (reader == nullptr || !reader->complaint().empty()) return false;
  StateReader probe = *reader;
  std::vector<u8> content;
  probe.resizable(name, content);
  return !probe.complaint().empty();
}

}  // namespace relic86
