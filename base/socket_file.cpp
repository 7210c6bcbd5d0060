#include "base/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

namespace relic86 {

void remove_socket(const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode)) ::unlink(path.c_str());
}

}  // namespace relic86
