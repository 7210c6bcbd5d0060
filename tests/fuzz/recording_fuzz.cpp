// A recorded run's file. What is taken is written again and read as the same.
#include <cstdio>
#include <cstdlib>

#include "machine/recording.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  const auto read = Recording::parse({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const Recording& recording = read.value();
  std::string text = recording_head(recording.machine);
  for (const RecordedInput& entry : recording.inputs) text += recording_line(entry);
  for (const input::Frame& answer : recording.answers) text += recording_line(answer);
  if (recording.end) text += recording_line(*recording.end);
  const auto again = Recording::parse(text);
  if (again && again.value().inputs == recording.inputs && again.value().answers == recording.answers &&
      again.value().end == recording.end)
    return 0;
  std::fprintf(stderr, "recording_fuzz: written anew it is another recording\n");
  std::abort();
}
