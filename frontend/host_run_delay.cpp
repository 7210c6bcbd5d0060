#include "frontend/host_run_delay.h"

#include <fstream>

namespace relic86 {

i64 host_run_delay_ns() {
  std::ifstream file("/proc/thread-self/schedstat");
  i64 ran = 0, waited = 0;
  return file >> ran >> waited ? waited : 0;
}

}  // namespace relic86
