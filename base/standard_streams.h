#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace relic86 {

// Streams that the caller closed lead nowhere: else the first file would be opened as one of them, and the guest's
// console, or an error message, would be written into it.
inline void fill_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
    if (::fcntl(stream, F_GETFD) < 0) [[maybe_unused]]
      const int opened = ::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace relic86
