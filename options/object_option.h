// -object and object-add: what is made before the machine, by type and id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "options/option_text.h"

namespace relic86 {

struct Options;

struct ObjectOption {
  std::string type;  // "secret", "memory-backend-ram"
  std::string id;
  Properties properties;  // the others, as given
};

// The types that exist; what each may be told, separated by blanks.
struct ObjectType {
  std::string_view name;
  std::string_view properties;
  bool memory;  // a back end for guest RAM
};
const std::vector<ObjectType>& object_types();

// -object [qom-type=]TYPE,id=ID,PROP=V.. in either form.
Result<> add_object(Options& options, std::string_view value);
// One object's properties, qom-type and id among them, checked against its type and the other objects.
Result<ObjectOption> make_object(const std::vector<ObjectOption>& others, const Properties& properties);

// -machine memory-backend=ID names an -object of the size of guest RAM.
Result<> check_memory_backend(const Options& options);

}  // namespace relic86
