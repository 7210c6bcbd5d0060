#include "machine/machine_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "devices/board/usb_board.h"
#include "machine/machine.h"

namespace relic86 {

namespace {

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

}  // namespace

std::string machine_identity(Machine& machine) {
  const CpuModel& model = machine.cpu().model();
  std::string text = fmt::format("memory={} MiB\n", machine.bus().store().ram_size() >> 20);
  text += fmt::format("processor={} {:08x} {:08x} {:08x} {:08x}\n", model.name, model.signature(), model.features_edx,
                      model.features_ecx, model.extended_edx);
  // Machines that were saved before there could be several know no such line.
  if (const ProcessorTopology& topology = machine.options().processors; topology.most > 1)
    text += fmt::format("processors={} of {} ({} sockets, {} dies, {} cores, {} threads)\n", topology.count,
                        topology.most, topology.sockets, topology.dies, topology.cores, topology.threads);
  for (unsigned unit = 0; unit < PcBoard::kIdePlaces; unit++) {
    const char* const kind = machine.board().cdrom(unit) != nullptr  ? "CD-ROM drive"
                             : machine.board().disk(unit) != nullptr ? "disk"
                                                                     : "none";
    text += fmt::format("ide{}-{}={}\n", unit / 2, unit % 2, kind);
  }
  // Machines without the controller know no such lines.
  for (unsigned place = PcBoard::kIdePlaces; place < PcBoard::kDrivePlaces; place++) {
    const bool cdrom = machine.board().cdrom(place) != nullptr, disk = machine.board().disk(place) != nullptr;
    if (cdrom || disk) text += fmt::format("sata{}={}\n", place - PcBoard::kIdePlaces, cdrom ? "CD-ROM drive" : "disk");
  }
  // When a card came does not matter.
  std::set<std::string_view> names;
  for (const auto& device : machine.board().devices()) names.insert(device->name());
  text += "devices=";
  for (const std::string_view name : names) text += fmt::format("{} ", name);
  text += "\n";
  // None at all is the same as no controller: machines that were saved before there were any know no such line.
  if (const UsbBoard* usb = machine.board().usb(); usb != nullptr && !usb->layout().empty())
    text += "usb=" + usb->layout() + "\n";
  return text;
}

std::optional<IdentityDifference> identity_difference(std::string_view there, Machine& machine) {
  const std::string text = machine_identity(machine);
  std::string_view here = text;
  while (!there.empty() || !here.empty()) {
    const auto there_line = take_line(there), here_line = take_line(here);
    if (there_line != here_line) return IdentityDifference{std::string(there_line), std::string(here_line)};
  }
  return std::nullopt;
}

}  // namespace relic86
