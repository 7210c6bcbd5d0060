// What disk and CD-ROM drives on an AT attachment channel have in common: task file, power, resets, the data buffer
// that PIO and DMA share. Derived drives give meaning to commands. Guest time passes between the steps of a command.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/state_archive.h"
#include "devices/device.h"
#include "devices/storage/ata_registers.h"

namespace relic86 {

class AtaDevice;

// The channel, as a drive sees it.
class AtaBus {
 public:
  virtual void schedule(const AtaDevice& drive, GuestTime delay) = 0;  // proceed() after delay; replaces an earlier one
  virtual void stop(const AtaDevice& drive) = 0;                       // no proceed()
  virtual GuestTime now() const = 0;
  virtual void interrupt_changed() = 0;
  virtual void dma_requested() = 0;  // the drive's dma_wanted() became true

 protected:
  ~AtaBus() = default;
};

class AtaDevice {
 public:
  AtaDevice();
  AtaDevice(const AtaDevice&) = delete;
  AtaDevice& operator=(const AtaDevice&) = delete;
  virtual ~AtaDevice() = default;

  void plug(AtaBus* bus) { bus_ = bus; }

  // --- Registers, from the channel. ---
  u8 read_register(unsigned index, bool previous);  // 1 to 6; previous: HOB
  void write_register(unsigned index, u8 value);    // 1 to 6
  u8 status() const { return status_; }
  void command(u8 code);
  bool interrupt() const { return interrupt_; }
  bool asleep() const { return asleep_; }  // SLEEP: it obeys resets alone
  // A host that does not poll goes on while BSY is set: with the command, the task file or the data of what it wants
  // next. The step that is due (a command's start, a block's end, a reset's) is carried out now, so that nothing of it
  // is lost. DMA and a reset that is still held go on as they are. Reading the status has no such effect: hosts that
  // poll see BSY.
  void settle();
  void acknowledge() { set_interrupt(false); }

  // The data port. Fewer bytes than asked for: the block ended; the caller goes by words. Outside of a transfer: none.
  std::size_t read_data(std::span<u8> into);
  std::size_t write_data(std::span<const u8> from);

  // --- Resets. ---
  void reset(ResetKind kind);
  void hold_reset();     // SRST set
  void release_reset();  // SRST cleared
  void diagnose(bool interrupts);
  void proceed();  // the time given to schedule() has passed

  // All registers in the two depths they have, as a serial link carries them (Serial ATA 10.3.4, 10.3.5).
  struct LinkRegisters {
    u8 status = 0, error = 0, features = 0, features_high = 0, device = 0;
    std::array<u8, 3> lba{}, lba_high{};
    u16 count = 0;
  };
  LinkRegisters link_registers() const;
  void set_link_registers(const LinkRegisters& registers);

  // Whether the data port has bytes for the host, or wants some.
  bool offers_data() const { return phase_ == Phase::DataIn; }
  bool wants_data() const { return phase_ == Phase::DataOut; }
  // Bytes until the block ends.
  u32 block_left() const { return limit_ - position_; }

  // --- DMA, from the bus master. ---
  bool dma_wanted() const { return phase_ == Phase::DmaIn || phase_ == Phase::DmaOut; }
  bool dma_to_memory() const { return phase_ == Phase::DmaIn; }
  // Bytes that can be moved now: never empty while dma_wanted().
  std::span<u8> dma_window() { return std::span(buffer_).subspan(position_, limit_ - position_); }
  void dma_moved(std::size_t count);

  void state(StateArchive& archive);

 protected:
  static constexpr u32 kBufferSize = 65536;
  static constexpr GuestTime kCommandTime = 5'000;  // ns; a real drive's cache answers in some 100 us
  static constexpr GuestTime kBlockTime = 2'000;
  static constexpr GuestTime kResetTime = 50'000;

  // Waiting: for the host's disk. A saved machine is never in it. ToBeRetried: the host's disk has failed, and the step
  // is carried out again when the machine goes on.
  enum class Phase : u8 {
    Idle,
    Executing,
    DataIn,
    DataOut,
    BlockIn,
    BlockOut,
    DmaIn,
    DmaOut,
    Resetting,
    HeldInReset,
    Waiting,
    ToBeRetried
  };

  // --- For derived drives. ---
  virtual void execute(u8 code) = 0;  // BSY is set; ends in one of the outcomes below
  virtual bool obeys_while_busy(u8) const { return false; }
  virtual void block_read() = 0;  // the host took the whole block: start the next one or finish
  // The block in the buffer is the last one, and no status follows it: BSY stays clear after it (ATA-6, figure 14,
  // DPIOI2:DI0).
  virtual bool last_block_in() const = 0;
  virtual void block_written() = 0;  // the host filled the whole block
  virtual void stop_waiting() {}  // what wait_for_host() waits for comes now: answered() is called before this returns
  // The step that a failure of the host's has cut short is carried out again.
  virtual void retry_step() = 0;
  // The host has failed to write this block, and a reset by software ends its command: it is written all the same, when
  // the machine goes on (retry_kept).
  virtual void keep_block(std::span<const u8> /*block*/) {}
  virtual void retry_kept() {}
  virtual void set_signature() = 0;
  virtual u8 status_after_reset() const = 0;
  virtual void reset_drive(ResetKind kind) = 0;
  virtual void state_drive(StateArchive& archive) = 0;  // after loading: validates

  // Outcomes of a step.
  void reset_done();                      // signature, status after reset; what DEVICE RESET and SRST end in
  void finish();                          // without error, with interrupt
  void finish_quietly();                  // without error, no interrupt (the end of PIO data in)
  void fail(u8 error);                    // with interrupt
  void offer_block(u32 size, u8 status);  // PIO in: buffer_[0, size) is to be read; with interrupt
  void request_block(u32 size, u8 status, bool interrupts);  // PIO out: size bytes are wanted
  void offer_dma(u32 size) { begin_dma(Phase::DmaIn, size); }
  void request_dma(u32 size) { begin_dma(Phase::DmaOut, size); }
  // BSY until the host has answered; the number is for answered(), which says whether the drive still waits for that.
  u64 wait_for_host();
  bool answered(u64 number);
  // BSY until the machine goes on after a failure of the host's; then retry_step(). kept: bytes of the buffer that the
  // step needs.
  void await_retry(u32 kept);
  void retry();  // what images call (BlockDevice::retry_with)
  void set_interrupt(bool level);
  // The user hears of trouble with an image once per kind, however often the guest tries.
  static void report_host_error(const std::string& message);
  GuestTime now() const { return bus_->now(); }

  struct TaskFile {
    u8 error = 0, features = 0, count = 0, lba_low = 0, lba_mid = 0, lba_high = 0, device = 0;
    u8 old_features = 0, old_count = 0, old_low = 0, old_mid = 0, old_high = 0;  // HOB
  };
  TaskFile task_;
  u8 status_ = 0;
  u8 command_ = 0;
  bool asleep_ = false;
  std::vector<u8> buffer_;

 private:
  void begin_dma(Phase phase, u32 size);
  void wait(Phase phase, GuestTime delay);
  void keep_written_block();

  AtaBus* bus_ = nullptr;
  Phase phase_ = Phase::Idle;
  bool interrupt_ = false;
  bool diagnose_interrupts_ = false;
  u32 position_ = 0;
  u32 limit_ = 0;
  u64 waits_ = 0;  // for the host, so far
};

}  // namespace relic86
