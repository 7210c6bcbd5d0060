// -device sb16, adlib, mpu401, gameport, AC97, ES1370, intel-hda and its codecs: what the user gave, as the board takes it.
#pragma once

#include <string_view>

#include "audio/audio_system.h"
#include "base/result.h"
#include "devices/board/board_config.h"
#include "options/options.h"

namespace relic86 {

Result<> add_sb16(const DeviceOption& device, BoardConfig& config);
Result<> add_adlib(const DeviceOption& device, BoardConfig& config);
Result<> add_game_port(const DeviceOption& device, BoardConfig& config);
Result<> add_mpu401(const DeviceOption& device, BoardConfig& config);
Result<> add_ac97(const DeviceOption& device, BoardConfig& config);
Result<> add_es1370(const DeviceOption& device, BoardConfig& config);
// intel-hda and ich9-intel-hda; hda-output, hda-duplex and hda-micro, which come after their controller.
Result<> add_hda_controller(const DeviceOption& device, BoardConfig& config);
Result<> add_hda_codec(const DeviceOption& device, BoardConfig& config);

// The properties of such a device, separated by blanks; empty: it is none.
std::string_view sound_device_properties(std::string_view name);

// Plugs the cards into the host's side that their audiodev= names.
void connect_sound(BoardConfig& config, AudioSystem& audio);

}  // namespace relic86
