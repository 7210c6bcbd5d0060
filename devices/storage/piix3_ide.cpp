// Intel 82371SB PIIX3 (datasheet 290550), function 1
//
//   configuration
//   offset  width  R/W  bits
//   00h     4      R    8086h, 7010h;  class 010180h: legacy ports, bus master
//   04h     2      RW   command: 0 I/O space (BMIBA), 2 bus master
//   06h     2      RWC  status: 13 received master abort
//   20h     4      RW   BMIBA: 16 ports
//   40h     2      RW   IDETIM primary, 42h secondary: timing; bit 15 decode enable (see below)
//   44h     1      RW   SIDETIM: timing of slaves
//
//   port        width    R/W  bits
//   1F0h-1F7h   1, 2, 4  RW   primary command block, 170h-177h secondary (devices/storage/ata_channel.cpp)
//   3F6h        1        RW   primary control block, 376h secondary
//   BMIBA+0-7   1        RW   primary bus master (devices/storage/ide_bus_master.cpp), 8-15 secondary
//
// IRQ 14 and 15. The legacy ports answer whatever IDETIM says: every firmware enables them before it touches a drive,
// and a small ROM or kernel that does not is meant to find its disk here, too.
#include "devices/storage/piix3_ide.h"

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u16 kReceivedMasterAbort = 1u << 13;
constexpr u32 kBusMasterPorts = 16;
constexpr unsigned kBusMasterBar = 4;

PciIdentity ide_function() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x7010;
  identity.class_code = 0x010180;
  return identity;
}
}  // namespace

Piix3Ide::Piix3Ide() : PciDevice(ide_function()) {
  declare(kPciCommand, 2, 0, 0x0005);
  declare(kPciStatus, 2, 0x0280, 0, 0x3800);
  declare(0x40, 4, 0, 0xF3FFF3FF);
  declare(0x44, 1, 0, 0xFF);
  declare_io_bar(kBusMasterBar, kBusMasterPorts, kBusMaster, 1);
}

void Piix3Ide::plug(unsigned unit, std::unique_ptr<AtaDevice> drive) {
  RELIC86_ASSERT(unit < 4 && !attached_);
  channels_[unit >> 1].plug(unit & 1, std::move(drive));
}

AtaChannel* Piix3Ide::data_port(IoPort port) {
  if (port.raw == 0x1F0) return &channels_[0];
  return port.raw == 0x170 ? &channels_[1] : nullptr;
}

Result<> Piix3Ide::attach_function(Attachment& board) {
  attached_ = true;
  constexpr std::array<u16, 2> kCommandBlocks = {0x1F0, 0x170};
  constexpr std::array<u16, 2> kControlBlocks = {0x3F6, 0x376};
  for (unsigned i = 0; i < channels_.size(); i++) {
    const auto command = static_cast<RegionId>(kCommand0 + i);
    const auto control = static_cast<RegionId>(kControl0 + i);
    if (auto result = board.ports(*this, command, kCommandBlocks[i], 8, 4); !result) return result;
    if (auto result = board.ports(*this, control, kControlBlocks[i], 1); !result) return result;
    std::array<TimerId, AtaChannel::kTimers> timers{};
    constexpr std::array<std::string_view, AtaChannel::kTimers> kNames = {"drive0", "drive1", "dma"};
    for (u32 timer = 0; timer < timers.size(); timer++) {
      const std::string what = (i == 0 ? "primary." : "secondary.") + std::string(kNames[timer]);
      timers[timer] = board.timer(*this, what, i * AtaChannel::kTimers + timer);
    }
    channels_[i].attach(board.scheduler(), timers, board.isa_irq(14 + i), board.memory());
  }
  return {};
}

void Piix3Ide::reset_function(ResetKind kind) {
  for (AtaChannel& channel : channels_) channel.reset(kind);
}

void Piix3Ide::state_function(StateArchive& archive) {
  archive.group("primary", [&] { channels_[0].state(archive); });
  archive.group("secondary", [&] { channels_[1].state(archive); });
}

void Piix3Ide::config_written(unsigned, unsigned) {
  if (!attached_) return;
  for (AtaChannel& channel : channels_) channel.enable_bus_master(bus_master_enabled());
}

u64 Piix3Ide::read(RegionId region, u64 offset, unsigned width) {
  const auto at = static_cast<unsigned>(offset);
  switch (region) {
    case kCommand0:
    case kCommand1: return channels_[region - kCommand0].read_command_block(at & 7, width);
    case kControl0:
    case kControl1: return channels_[region - kControl0].read_alternate_status();
    default: return channels_[at >> 3 & 1].read_bus_master(at & 7);
  }
}

void Piix3Ide::write(RegionId region, u64 offset, unsigned width, u64 value) {
  const auto at = static_cast<unsigned>(offset);
  switch (region) {
    case kCommand0:
    case kCommand1: return channels_[region - kCommand0].write_command_block(at & 7, width, static_cast<u32>(value));
    case kControl0:
    case kControl1: return channels_[region - kControl0].write_device_control(static_cast<u8>(value));
    default: return channels_[at >> 3 & 1].write_bus_master(at & 7, static_cast<u8>(value));
  }
}

void Piix3Ide::event(u32 id, GuestTime) {
  if (id >= channels_.size() * AtaChannel::kTimers) return;
  AtaChannel& channel = channels_[id / AtaChannel::kTimers];
  channel.event(static_cast<AtaChannel::Timer>(id % AtaChannel::kTimers));
  note_master_abort(channel);
}

void Piix3Ide::note_master_abort(AtaChannel& channel) {
  if (channel.take_master_abort()) set_config(kPciStatus, 2, config(kPciStatus, 2) | kReceivedMasterAbort);
}

}  // namespace relic86
