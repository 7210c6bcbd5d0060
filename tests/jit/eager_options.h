// A translator that begins at once and checks its intermediate representation.
#pragma once

#include "jit/translator.h"

namespace relic86::jit {

inline TranslatorOptions eager_options() {
  TranslatorOptions options;
  options.verify = true;
  options.threshold = 2;  // entries: what is run once or twice stays the interpreter's
  return options;
}

}  // namespace relic86::jit
