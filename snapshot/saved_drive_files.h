// Which image each drive held when a machine was saved.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace relic86 {

// Files by the drives' names; path: the saved machine's file, which is not checked otherwise.
Result<std::map<std::string, std::string>> saved_drive_files(const std::string& path);

}  // namespace relic86
