// An image that an NBD server has, as a file under a format: the client's side, by libnbd.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "block/host_file.h"
#include "block/image_file.h"

namespace relic86 {

// "nbd://HOST[:PORT]/EXPORT", "nbd+unix:///EXPORT?socket=PATH", and QEMU's older "nbd:HOST:PORT[:exportname=NAME]" and
// "nbd:unix:PATH[:exportname=NAME]".
bool names_nbd(std::string_view file);
// The same as one of the first two kinds.
std::string nbd_uri(std::string_view file);

// Connects. For reconnect_seconds a lost connection is taken up again before what is asked of it fails; a server that
// does not answer for half a minute counts as lost. Without libnbd this is an error that says so.
Result<std::unique_ptr<ImageFile>> open_nbd(const std::string& file, HostFile::Access access,
                                            unsigned reconnect_seconds);

}  // namespace relic86
