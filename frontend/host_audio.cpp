#include "frontend/host_audio.h"

#include <fmt/format.h>

#include "audio/host_audio.h"
#include "base/log.h"
#include "frontend/host_library.h"

namespace relic86 {

Result<> connect_host_audio(Machine& machine) {
  for (const AudioDeviceOption& option : machine.options().audio_devices) {
    if (option.driver != "sdl") continue;
    const auto entry = host_entry_point(HostLibrary::Sdl, "relic86_open_audio");
    if (!entry) return Error{fmt::format("-audiodev sdl: the library cannot be loaded: {}", entry.message())};
    auto* const open = reinterpret_cast<OpenAudio*>(entry.value());
    std::string error;
    std::unique_ptr<AudioOutput> output(open({option.frequency, option.channels, option.buffer_length}, error));
    if (!output) {
      const std::string message = fmt::format(
          "-audiodev sdl: the host's sound cannot be opened: {}; -audiodev none,id={} plays nothing", error, option.id);
      if (machine.options().machine_file.empty()) return Error{message};
      log::warning(message);  // a machine file goes from host to host: one without sound is no reason not to start
      continue;
    }
    machine.audio().mixer(option.id)->connect(std::move(output), machine.clock().now());
  }
  return {};
}

}  // namespace relic86
