#include "machine/shared_thread_time.h"

#include <pthread.h>

#include <utility>

#include "machine/host_time.h"

namespace relic86 {

GuestTime SharedThreadTime::limit(const Question& question) {
  return credit_.limit(question, {{host_thread_work_ns(pthread_self()), std::exchange(idle_, false), ++looks_}});
}

}  // namespace relic86
