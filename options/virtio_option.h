// What -device says about any virtio device: its place and its interfaces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace relic86 {

struct VirtioOption {
  std::optional<unsigned> slot;     // addr=; else the first free one
  bool legacy = true;               // disable-legacy=off
  bool modern = true;               // disable-modern=off
  bool indirect = true;             // indirect_desc=
  bool event_index = true;          // event_idx=
  std::optional<unsigned> vectors;  // of MSI-X, 0: there is none; else as many as QEMU's device has
};

// These properties' names, separated by blanks.
std::string_view virtio_property_names();

// One of them; false: it is none. An error names the option and the mend.
Result<bool> set_virtio_property(VirtioOption& virtio, const std::string& option, const std::string& key,
                                 const std::string& word);

// When all are read: one interface must be left.
Result<> check_virtio(const VirtioOption& virtio, const std::string& option);

// The base name of a device by one of its QEMU names, with what the name says about its interfaces: "virtio-blk" of
// "virtio-blk-pci", "virtio-blk-pci-transitional", "virtio-blk-pci-non-transitional". Empty: another device.
std::string_view virtio_base_name(std::string_view name, VirtioOption& virtio);

}  // namespace relic86
