#include "options/virtio_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/option_text.h"
#include "options/pci_place_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

struct SwitchRow {
  Text name;
  bool VirtioOption::*member;  // null: what it changes a guest cannot see, or is not there
  bool inverted;
};
constexpr SwitchRow kSwitches[] = {
    {"disable-legacy", &VirtioOption::legacy, true},
    {"disable-modern", &VirtioOption::modern, true},
    {"indirect_desc", &VirtioOption::indirect, false},
    {"event_idx", &VirtioOption::event_index, false},
    {"ioeventfd", nullptr, false},
    {"any_layout", nullptr, false},
    {"notify_on_empty", nullptr, false},
    {"migrate-extra", nullptr, false},
};
// Switches whose one position is what exists.
constexpr Text kAlwaysOff[] = {"packed", "iommu_platform", "ats", "page-per-vq", "modern-pio-notify", "queue_reset"};
constexpr unsigned kMostVectors = 128;  // of MSI-X: what fits a page with the pending bits
constexpr Text kNames =
    "addr bus disable-legacy disable-modern indirect_desc event_idx ioeventfd any_layout notify_on_empty migrate-extra "
    "packed iommu_platform ats page-per-vq modern-pio-notify queue_reset vectors multifunction";

template <class Table>
bool holds(const Table& table, Text word) {
  return std::find(std::begin(table), std::end(table), word) != std::end(table);
}

}  // namespace

std::string_view virtio_property_names() { return kNames; }

Result<bool> set_virtio_property(VirtioOption& virtio, const std::string& option, const std::string& key,
                                 const std::string& word) {
  const auto wrong = [&](Text mend) { return Error{fmt::format("{}: {}={}: {}", option, key, word, mend)}; };
  if (key == "addr") {
    auto slot = parse_pci_slot(option, word);
    if (!slot) return slot.error();
    virtio.slot = slot.value();
    return true;
  }
  if (key == "bus") {
    if (word != "pci.0") return wrong("unknown bus; pci.0 exists");
    return true;
  }
  for (const SwitchRow& row : kSwitches) {
    if (row.name != key) continue;
    // QEMU's disable-legacy has a third word, which means off on this bus.
    const auto on = word == "auto" && key == "disable-legacy" ? Result<bool>(false) : parse_switch(word);
    if (!on) return wrong(on.message());
    if (row.member != nullptr) virtio.*row.member = on.value() != row.inverted;
    return true;
  }
  if (holds(kAlwaysOff, key)) {
    const auto on = parse_switch(word);
    if (!on) return wrong(on.message());
    if (on.value()) return wrong("does not exist here; leave it out");
    return true;
  }
  if (key == "vectors") {
    const auto number = parse_number(word);
    if (!number || number.value() > kMostVectors)
      return wrong(fmt::format("not a number of MSI-X vectors from 0 to {}", kMostVectors));
    virtio.vectors = static_cast<unsigned>(number.value());
    return true;
  }
  return key == "multifunction";
}

Result<> check_virtio(const VirtioOption& virtio, const std::string& option) {
  if (virtio.legacy || virtio.modern) return {};
  return Error{
      fmt::format("{}: disable-legacy=on and disable-modern=on leave no interface; leave one of them out", option)};
}

std::string_view virtio_base_name(std::string_view name, VirtioOption& virtio) {
  constexpr Text kBases[] = {"virtio-blk",     "virtio-net",    "virtio-rng",
                             "virtio-balloon", "virtio-serial", "virtio-scsi"};
  struct Ending {
    Text text;
    bool legacy;
  };
  constexpr Ending kEndings[] = {
      {"-pci-non-transitional", false}, {"-pci-transitional", true}, {"-pci", true}, {"", true}};
  for (const Text base : kBases) {
    if (!name.starts_with(base)) continue;
    for (const Ending& ending : kEndings) {
      if (name.substr(base.size()) != ending.text) continue;
      if (!ending.legacy) virtio.legacy = false;
      return base;
    }
  }
  return {};
}

}  // namespace relic86
