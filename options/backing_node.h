// What BlockNode::backing holds where the user says that nothing lies below a node ("backing": null), whatever the
// image itself says. No node can have this name.
#pragma once

#include <string_view>

namespace relic86 {

inline constexpr std::string_view kNoBacking = "\n";

}  // namespace relic86
