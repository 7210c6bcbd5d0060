// -drive, and the -device words that give a drive its place: ide-hd, ide-cd, floppy, virtio-blk-pci;
// usb-storage takes its drive here and its place in the machine.
#pragma once

#include <span>
#include <string_view>

#include "options/options.h"

namespace relic86 {

// -drive's argument, appended to options.drives. A drive with if=none waits for its -device.
Result<> add_drive_option(Options& options, std::string_view value);

// One more property of a drive that has its place already (-set drive.ID.KEY=WORD); its place stays.
Result<> set_drive_property(DriveOption& drive, const std::string& key, const std::string& word);

// Every property of -drive.
std::vector<std::string> drive_property_names();

// Once the board is known: which place the bus and unit of a -drive mean, and whether there are as many.
Result<> resolve_drive_places(Options& options);

// The next free place of a kind, from first on; the number of places when none is free.
unsigned free_drive_place(const Options& options, DriveOption::Interface interface, unsigned first);

// Carries out a -device that concerns a drive. False: it does not.
Result<bool> attach_drive_device(Options& options, const DeviceOption& device);

// A drive that no -device has taken waits for a USB disk that is plugged in later. False: it cannot be one.
bool keep_for_usb(const Options& options, DriveOption& drive);

// An error where the drive has werror= or rerror=, and its interface reports every error to the guest.
Result<> check_error_policy(const DriveOption& drive);

// The properties of such a device, for '-device NAME,help'; empty: no such device.
std::string_view drive_device_properties(std::string_view name);

}  // namespace relic86
