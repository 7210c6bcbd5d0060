// State that components have got since the first program whose saved machines are understood. Loading what an older one
// saved, such a field gets the value that stands for what it was before there was one.
//
// Fields never change their size or meaning: what has to gets another name, and its owner makes it of the old one.
// tests/boot/older_state_test keeps files of that first program.
#pragma once

#include <string_view>
#include <type_traits>

#include "base/state_archive.h"

namespace relic86 {

template <class T>
void newer_field(StateArchive& archive, std::string_view name, T& variable, std::type_identity_t<T> before = {}) {
  if (archive.lacks(name)) {
    variable = before;
  } else {
    archive.field(name, variable);
  }
}

}  // namespace relic86
