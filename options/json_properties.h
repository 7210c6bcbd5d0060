// The JSON form of -device, -blockdev, -object and the like: an object (RFC 8259) as the properties of the plain form.
#pragma once

#include <string_view>

#include "options/option_text.h"

namespace relic86 {

// An object's members in order; those of an inner object, or of a list, are named "outer.inner", "list.0". true and
// false are on and off, numbers stay as they are written, null is left out. The error says what is wrong and where.
Result<Properties> parse_json_properties(std::string_view text);

// An option's properties in either form: text that begins with '{' is JSON. A first word without '=' is the value of
// implied ("driver" in "-device VGA,id=v"). The result never has an implied key twice.
Result<Properties> option_properties(std::string_view option, std::string_view value, std::string_view implied);

// The value of a property; empty: not there.
std::string property_value(const Properties& properties, std::string_view key);

}  // namespace relic86
