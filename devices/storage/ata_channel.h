// One AT attachment channel: two places for drives, the ports' side of the cable, INTRQ and DMARQ.
#pragma once

#include <array>
#include <memory>

#include "devices/attachment.h"
#include "devices/storage/ata_device.h"
#include "devices/storage/ide_bus_master.h"

namespace relic86 {

class AtaChannel final : public AtaBus {
 public:
  enum Timer : u8 { kDrive0, kDrive1, kDma, kTimers };

  // Before attach. position: 0 master, 1 slave.
  void plug(unsigned position, std::unique_ptr<AtaDevice> drive);
  AtaDevice* drive(unsigned position) const { return drives_[position].get(); }

  void attach(Scheduler& scheduler, const std::array<TimerId, kTimers>& timers, IrqLine irq, PhysicalBus& memory);
  void reset(ResetKind kind);
  void state(StateArchive& archive);
  void event(Timer timer);

  // Ports 1F0h-1F7h (170h-177h) of any width up to 4; 3F6h (376h).
  u32 read_command_block(unsigned offset, unsigned width);
  void write_command_block(unsigned offset, unsigned width, u32 value);
  u8 read_alternate_status() const;
  void write_device_control(u8 value);

  // REP INS/OUTS of words on the data port: moves as many bytes (even) as the current block allows at once and returns
  // them; 0: go by single accesses.
  std::size_t read_data_block(std::span<u8> into);
  std::size_t write_data_block(std::span<const u8> from);

  u8 read_bus_master(unsigned offset) const { return bus_master_.read(offset); }
  void write_bus_master(unsigned offset, u8 value);
  // The PCI command register's bus master bit.
  void enable_bus_master(bool enabled);
  bool take_master_abort() { return bus_master_.take_master_abort(); }

  void schedule(const AtaDevice& drive, GuestTime delay) override;
  void stop(const AtaDevice& drive) override;
  GuestTime now() const override { return scheduler_->now(); }
  void interrupt_changed() override;
  void dma_requested() override { start_dma(kDmaLatency); }

 private:
  static constexpr GuestTime kDmaLatency = 8'000;  // ns
  static constexpr GuestTime kDmaBurst = 60'000;   // for kDmaBurstBytes: some 1 GB/s
  static constexpr std::size_t kDmaBurstBytes = 65536;
  AtaDevice* selected() const { return drives_[selected_].get(); }
  // What answers when no drive is in the selected place: the other one, save for its status (ATA-6, 9.x).
  AtaDevice* answering() const { return selected() != nullptr ? selected() : drives_[selected_ ^ 1].get(); }
  u8 read_register(unsigned index);
  void write_register(unsigned index, u8 value);
  void update_line(bool force = false);
  void start_dma(GuestTime delay);
  void run_dma();

  std::array<std::unique_ptr<AtaDevice>, 2> drives_;
  IdeBusMaster bus_master_;
  Scheduler* scheduler_ = nullptr;
  std::array<TimerId, kTimers> timers_{};
  IrqLine irq_;
  u8 selected_ = 0;
  u8 device_control_ = 0;
  bool bus_master_enabled_ = false;
};

}  // namespace relic86
