#include "display/window_title.h"

#include <fmt/format.h>

namespace relic86 {

std::string window_title(const MachineSummary& summary, bool grabbed) {
  std::string title = "relic86";
  if (!summary.name.empty()) title += " - " + summary.name;
  title += " (" + summary.state;
  if (summary.state == "running") {
    const double mips = static_cast<double>(summary.instructions_per_second) * 1e-6;
    title += mips < 10 ? fmt::format(", {:.1f} MIPS", mips) : fmt::format(", {:.0f} MIPS", mips);
    if (summary.pace < 100) title += fmt::format(", at {} % speed", summary.pace);
  }
  constexpr const char* kLights[] = {"Scroll", "Num", "Caps"};
  for (unsigned light = 0; light < 3; light++) {
    if ((summary.lights >> light & 1) != 0) title += fmt::format(", {}", kLights[light]);
  }
  title += ") - ";
  if (summary.asked_to_quit) {
    title += "the guest was asked to power off; Ctrl+Alt+Q again quits";
  } else if (summary.absolute_pointer) {
    title += grabbed ? "Ctrl+Alt+G frees the keyboard" : "Ctrl+Alt+G grabs the keyboard";
  } else {
    title += grabbed ? "Ctrl+Alt+G frees the mouse" : "click or Ctrl+Alt+G grabs the mouse";
  }
  return title;
}

}  // namespace relic86
