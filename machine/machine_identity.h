// What must be the same in two machines for one to go on as the other, as "key=value" lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relic86 {

class Machine;

std::string machine_identity(Machine& machine);

struct IdentityDifference {
  std::string there, here;  // the lines
};
// The first line in which the machine here differs from that text; nothing: it is the same.
std::optional<IdentityDifference> identity_difference(std::string_view there, Machine& here);

}  // namespace relic86
