// Where a Unix socket is to stand.
#pragma once

#include <string>

namespace relic86 {

// A server that ended may have left its socket at the path: it goes. Anything else there is the user's and stays, so
// that bind() fails with EADDRINUSE.
void remove_socket(const std::string& path);

}  // namespace relic86
