// An image that an NBD server has, as a file under a format: the client's side, by libnbd.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "block/host_file.h"
#include "block/image_file.h"
#include "block/interruption.h"

namespace relic86 {

// "nbd://HOST[:PORT]/EXPORT", "nbd+unix:///EXPORT?socket=PATH", and QEMU's older "nbd:HOST:PORT[:exportname=NAME]" and
// "nbd:unix:PATH[:exportname=NAME]".
bool names_nbd(std::string_view file);
// The same as one of the first two kinds.
std::string nbd_uri(std::string_view file);

struct NbdPatience {
  // For so long a lost connection is taken up again before what is asked of it fails. A server that does not answer for
  // half a minute counts as lost.
  unsigned reconnect_seconds = 0;
  // Where it is asked for, what has no answer for five seconds more fails at once. Null: it never is.
  std::shared_ptr<Interruption> interruption{};
};

// Connects. Without libnbd this is an error that says so.
Result<std::unique_ptr<ImageFile>> open_nbd(const std::string& file, HostFile::Access access, NbdPatience patience);

}  // namespace relic86
