// Ports of a channel (ATA/ATAPI-6, 7; both drives see every write, the selected one answers)
//
//   port       width    R/W  content
//   base + 0   2, 4     RW   data; one byte at a time moves half a word
//   base + 1-6 1        RW   task file (devices/storage/ata_device.cpp)
//   base + 7   1        R    status, and takes INTRQ back;  W command
//   control    1        R    alternate status (leaves INTRQ alone);  W device control: 7 HOB, 2 SRST, 1 nIEN
#include "devices/storage/ata_channel.h"

#include "base/assert.h"

namespace relic86 {

using namespace ata;

namespace {

bool shows_packet_signature(AtaDevice& drive) {
  return drive.read_register(kLbaMid, false) == kPacketSignatureMid &&
         drive.read_register(kLbaHigh, false) == kPacketSignatureHigh;
}

}  // namespace

void AtaChannel::plug(unsigned position, std::unique_ptr<AtaDevice> drive) {
  RELIC86_ASSERT(position < drives_.size() && drives_[position] == nullptr);
  drives_[position] = std::move(drive);
  drives_[position]->plug(this);
}

void AtaChannel::attach(Scheduler& scheduler, const std::array<TimerId, kTimers>& timers, IrqLine irq,
                        PhysicalBus& memory) {
  scheduler_ = &scheduler;
  timers_ = timers;
  irq_ = irq;
  bus_master_.attach(memory);
}

void AtaChannel::reset(ResetKind kind) {
  selected_ = device_control_ = 0;
  scheduler_->cancel(timers_[kDma]);
  bus_master_.reset();
  for (auto& drive : drives_) {
    if (drive) drive->reset(kind);
  }
  update_line(true);
}

void AtaChannel::state(StateArchive& archive) {
  archive.field("selected", selected_);
  archive.field("device_control", device_control_);
  selected_ &= 1;
  archive.group("bus_master", [&] { bus_master_.state(archive); });
  for (unsigned i = 0; i < drives_.size(); i++) {
    if (drives_[i]) archive.group(i == 0 ? "drive0" : "drive1", [&] { drives_[i]->state(archive); });
  }
  if (archive.loading()) update_line(true);
}

void AtaChannel::event(Timer timer) {
  if (timer == kDma) return run_dma();
  if (auto& drive = drives_[timer]; drive) drive->proceed();
}

// --- Ports ---

u32 AtaChannel::read_command_block(unsigned offset, unsigned width) {
  u32 value = 0;
  if (offset == kData) {
    value = static_cast<u32>(all_ones(width));
    if (AtaDevice* drive = selected(); drive != nullptr) {
      std::array<u8, 4> bytes{};
      if (drive->read_data(std::span(bytes).first(width)) > 0) {
        value = u32{bytes[0]} | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
      }
    }
    return value;
  }
  for (unsigned i = 0; i < width && offset + i <= kStatusCommand; i++) value |= u32{read_register(offset + i)} << i * 8;
  return value;
}

void AtaChannel::write_command_block(unsigned offset, unsigned width, u32 value) {
  if (offset == kData) {
    const std::array<u8, 4> bytes = {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                                     static_cast<u8>(value >> 24)};
    if (AtaDevice* drive = selected(); drive != nullptr) drive->write_data(std::span(bytes).first(width));
    return;
  }
  for (unsigned i = 0; i < width && offset + i <= kStatusCommand; i++) {
    write_register(offset + i, static_cast<u8>(value >> i * 8));
  }
}

std::size_t AtaChannel::read_data_block(std::span<u8> into) {
  AtaDevice* drive = selected();
  return drive == nullptr ? 0 : drive->read_data(into.first(into.size() & ~std::size_t{1}));
}

std::size_t AtaChannel::write_data_block(std::span<const u8> from) {
  AtaDevice* drive = selected();
  return drive == nullptr ? 0 : drive->write_data(from.first(from.size() & ~std::size_t{1}));
}

u8 AtaChannel::read_register(unsigned index) {
  AtaDevice* drive = answering();
  if (drive == nullptr) return 0;
  if (index == kStatusCommand) {
    if (selected() == nullptr) return 0;
    const u8 status = drive->status();
    drive->acknowledge();
    return status;
  }
  // Drive 0 answers for a drive 1 that is not there (ATA-6, 9.16), but with its signature drivers that look at nothing
  // else find a second packet drive: OpenBSD 2.8 waits 20 s for its answers. FFh, as QEMU has it, is none's.
  if (selected() == nullptr && (index == kLbaMid || index == kLbaHigh) && shows_packet_signature(*drive)) return 0xFF;
  return drive->read_register(index, (device_control_ & kHob) != 0);
}

u8 AtaChannel::read_alternate_status() const { return selected() == nullptr ? u8{0} : selected()->status(); }

void AtaChannel::write_register(unsigned index, u8 value) {
  device_control_ &= static_cast<u8>(~kHob);
  if (index != kStatusCommand) {
    if (index == kDevice) selected_ = (value & kDev) != 0 ? 1 : 0;
    for (auto& drive : drives_) {
      if (drive) drive->write_register(index, value);
    }
    if (index == kDevice) {
      update_line();
      start_dma(kDmaLatency);  // of a drive that waited, not selected
    }
    return;
  }
  if (value == kDiagnostic) {
    // Both execute it; device 0 reports. Then it is the selected one (ATA-6, 8.11).
    if (selected() != nullptr) selected()->settle();
    if ((read_alternate_status() & kBsy) != 0) return;
    for (unsigned i = 0; i < drives_.size(); i++) {
      if (drives_[i]) drives_[i]->diagnose(i == 0 || drives_[0] == nullptr);
    }
    if (drives_[0] != nullptr) selected_ = 0;
    return;
  }
  if (selected() != nullptr) selected()->command(value);
}

void AtaChannel::write_device_control(u8 value) {
  const u8 before = device_control_;
  device_control_ = value & (kHob | kSrst | kNIen);
  const bool srst = (value & kSrst) != 0;
  if (srst != ((before & kSrst) != 0)) {
    for (auto& drive : drives_) {
      if (!drive) continue;
      if (srst) {
        drive->hold_reset();
      } else {
        drive->release_reset();
      }
    }
    if (srst) selected_ = 0;
  }
  update_line();
}

// --- Interrupt and DMA ---

void AtaChannel::schedule(const AtaDevice& drive, GuestTime delay) {
  scheduler_->schedule_in(timers_[&drive == drives_[1].get() ? kDrive1 : kDrive0], delay);
}

void AtaChannel::stop(const AtaDevice& drive) {
  scheduler_->cancel(timers_[&drive == drives_[1].get() ? kDrive1 : kDrive0]);
}

void AtaChannel::interrupt_changed() { update_line(); }

void AtaChannel::update_line(bool force) {
  const bool level = selected() != nullptr && selected()->interrupt() && (device_control_ & kNIen) == 0;
  if (level && !irq_.level() && !force) bus_master_.interrupt_rose();
  if (force || level != irq_.level()) irq_.set(level);
}

void AtaChannel::write_bus_master(unsigned offset, u8 value) {
  bus_master_.write(offset, value);
  if (offset == 0) start_dma(kDmaLatency);
}

void AtaChannel::enable_bus_master(bool enabled) {
  bus_master_enabled_ = enabled;
  if (enabled) start_dma(kDmaLatency);
}

void AtaChannel::start_dma(GuestTime delay) {
  const AtaDevice* drive = selected();
  if (drive == nullptr || !drive->dma_wanted() || !bus_master_enabled_) return;
  if (!bus_master_.ready(drive->dma_to_memory())) return;
  if (scheduler_->deadline(timers_[kDma]) == Scheduler::kNever) scheduler_->schedule_in(timers_[kDma], delay);
}

void AtaChannel::run_dma() {
  AtaDevice* drive = selected();
  std::size_t moved = 0;
  while (drive != nullptr && drive->dma_wanted() && bus_master_enabled_ && moved < kDmaBurstBytes) {
    const std::size_t count = bus_master_.move(drive->dma_window(), drive->dma_to_memory());
    if (count == 0) break;
    drive->dma_moved(count);
    moved += count;
  }
  scheduler_->cancel(timers_[kDma]);
  start_dma(kDmaBurst);
}

}  // namespace relic86
