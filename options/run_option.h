// How a machine is run, and ends: -name, -action, --on-close, --disk-threads; -seed, where RDRAND begins; -compat,
// which changes nothing.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

Result<> set_name(Options& options, std::string_view value);
// -action EVENT=ACTION: QEMU's general form of -no-reboot and -no-shutdown.
Result<> set_action(Options& options, std::string_view value);
// -watchdog-action ACTION: an older form of -action watchdog=ACTION.
Result<> set_watchdog_action(Options& options, std::string_view value);
// QEMU's words for the actions.
std::string_view watchdog_action_name(Options::WatchdogAction action);
std::optional<Options::WatchdogAction> watchdog_action(std::string_view word);
std::optional<Options::PanicAction> panic_action(std::string_view word);
Result<> set_on_close(Options& options, std::string_view value);
Result<> set_compatibility(Options& options, std::string_view value);
Result<> set_seed(Options& options, std::string_view value);
// -incoming: where a migrating machine comes from. Whether there is such a place is seen when it is opened.
Result<> set_incoming(Options& options, std::string_view value);
Result<> set_disk_threads(Options& options, std::string_view value);

}  // namespace relic86
