// A port of an AHCI controller: its registers, the command list that it carries out, and the drive at its end.
#pragma once

#include <memory>
#include <string>

#include "devices/scheduler.h"
#include "devices/storage/ahci_memory.h"
#include "devices/storage/ata_device.h"

namespace relic86 {

// The controller, as a port sees it.
class AhciHost {
 public:
  virtual bool masters_bus() const = 0;
  virtual const AhciMemory& memory() const = 0;
  virtual void port_interrupt_changed() = 0;

 protected:
  ~AhciHost() = default;
};

class AhciPort final : public AtaBus {
 public:
  enum Timer : u8 { kDrive, kLook, kTimers };

  // Before attach.
  void plug(std::unique_ptr<AtaDevice> drive);
  AtaDevice* drive() const { return drive_.get(); }
  void attach(AhciHost& host, Scheduler& scheduler, const std::array<TimerId, kTimers>& timers);

  void reset(ResetKind kind);  // with the drive
  void reset_by_host();        // GHC.HR: lists stay where they are, and the link is set up anew
  void state(StateArchive& archive);
  void event(Timer timer);
  // Soon looks for something to do: commands may have become possible, such as by the bus master bit.
  void look_soon();

  u32 read(u32 offset) const;
  void write(u32 offset, u32 value);
  bool interrupt() const { return (interrupt_status() & interrupt_enable_) != 0; }

  void schedule(const AtaDevice& drive, GuestTime delay) override;
  void stop(const AtaDevice& drive) override;
  GuestTime now() const override { return scheduler_->now(); }
  void interrupt_changed() override { look_soon(); }
  void dma_requested() override { look_soon(); }

 private:
  static constexpr GuestTime kLatency = 2'000;  // ns
  static constexpr GuestTime kBurst = 60'000;   // for kBurstBytes: some 1 GB/s
  static constexpr std::size_t kBurstBytes = 65536;
  enum class Step : u8 { Again, Wait };

  u32 interrupt_status() const;
  void raise(u32 bits);
  void write_command(u32 value);
  void write_link_control(u32 value);
  void reset_registers();
  void stop_list();
  void link_up();

  void look();
  Step start_command();
  Step take_control(u8 control);
  Step go_on();
  Step move_dma();
  Step read_block();
  Step write_block();
  void finish_command(u32 interrupt);
  Step fail(u32 cause);  // the list stands still until it is started anew
  void take_registers();
  void fill_registers(std::span<u8> fis) const;
  void post_registers(u8 flags);
  void post_pio_setup(u8 status, u8 end_status, u32 count, u8 flags);
  bool enabled(u32 bit) const { return (command_ & bit) != 0; }

  AhciHost* host_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  std::array<TimerId, kTimers> timers_{};
  std::unique_ptr<AtaDevice> drive_;

  u64 list_ = 0, received_ = 0;  // PxCLB, PxFB
  u32 interrupt_status_ = 0, interrupt_enable_ = 0, command_ = 0;
  u32 task_file_ = 0, signature_ = 0;
  u32 link_control_ = 0, link_error_ = 0;
  u32 issued_ = 0;  // PxCI

  // The command that is carried out.
  bool active_ = false;
  bool halted_ = false;     // by an error
  bool resetting_ = false;  // the drive will show its signature
  bool soft_reset_ = false;
  bool packet_next_ = false;  // the drive wants the packet of a PACKET command
  bool first_block_ = false;  // of PIO to the drive, which comes without an interrupt
  u8 slot_ = 0;
  u64 table_ = 0;  // its command table
  u32 transferred_ = 0;
  AhciRegions regions_;
};

}  // namespace relic86
