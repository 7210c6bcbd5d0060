// Intel 82077AA floppy disk controller in PC/AT mode, with two drives.
#pragma once

#include <array>

#include "devices/attachment.h"
#include "devices/dma.h"
#include "devices/storage/floppy_drive.h"
#include "devices/storage/floppy_timing.h"

namespace relic86 {

class I82077 final : public Device {
 public:
  static constexpr unsigned kDrives = 2;

  explicit I82077(DmaController& dma) : dma_(dma) {}

  void set_speed(FloppySpeed speed) { timing_.set_speed(speed); }
  // Before the first reset: the drives that are there. A drive without a type takes that of its first disk.
  FloppyDrive& drive(unsigned number) { return drives_[number]; }
  // Disks come and go at any time between guest instructions (drive 0 or 1).
  void insert(unsigned number, FloppyImage image) { drives_[number].insert(std::move(image)); }
  void eject(unsigned number) { drives_[number].eject(); }
  bool motor(unsigned number) const { return (digital_output_ >> (4 + number) & 1) != 0; }

  std::string_view name() const override { return "i82077"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  enum Region : RegionId { kMain, kDigitalInput };
  enum Event : u32 { kTransferStep, kResetDone, kSeekDone };  // kSeekDone + drive
  enum class Phase : u8 { Reset, Command, Execution, Result };
  enum class Kind : u8 { Read, ReadTrack, Write, Verify, ScanEqual, ScanLow, ScanHigh, Format, ReadId };
  using Handler = void (I82077::*)();
  struct Command {
    u8 code;
    u8 fixed_bits;  // those of the first byte that must match; the others are MT, MFM, SK and the like
    u8 length;
    Handler handler;
  };
  static const std::array<Command, 23> kCommands;

  // The command under way.
  struct Transfer {
    Kind kind = Kind::Read;
    u8 drive = 0;
    u8 head = 0;
    FloppyId id;
    u8 end_of_track = 0;  // last sector number
    u8 scan_step = 1;
    u8 sectors_left = 0;  // format and verify with EC
    u8 filler = 0;
    bool counted = false;  // verify: sectors_left rules
    bool multitrack = false, mfm = false, skip = false, deleted = false, implied_seek = false;
    u8 status1 = 0, status2 = 0;
    u8 track_position = 0;  // read track: sectors since the index hole
    bool last_deleted = false;
    bool scan_failed = false, scan_unequal = false;
    u16 position = 0;             // in the sector buffer
    u16 length = 0;               // bytes of it to exchange
    bool waits_for_host = false;  // without DMA: the host is to read or write the data port
  };

  static const Command* find_command(u8 first);
  void start_command();
  void write_fifo(u8 value);
  u8 read_fifo();
  u8 main_status() const;
  u8 digital_input() const;
  void write_digital_output(u8 value);
  void write_data_rate_select(u8 value);
  void enter_reset();
  void finish_reset();
  void software_reset();
  void set_interrupt(bool level);
  void drive_interrupt();
  void give_result(std::initializer_list<u8> bytes, bool interrupt);
  void end_command();
  bool interrupt_pending() const;
  void forget_reset();

  // Commands.
  void read_data(), read_deleted(), read_track(), write_data(), write_deleted(), verify(), scan_equal(), scan_low(),
      scan_high(), format_track(), read_id(), recalibrate(), sense_interrupt(), sense_drive(), specify(), seek(),
      relative_seek(), dump_registers(), version(), configure(), perpendicular(), lock(), part_id();
  void invalid();

  // Seeks.
  void begin_seek(unsigned number, unsigned to_track, unsigned pulses, u8 status0);
  GuestTime step_time() const;

  // Transfers (i82077_transfer.cpp).
  void begin_transfer(Kind kind, bool deleted);
  void transfer_step();
  bool locate(u32& sector);
  void read_step();
  void verify_step();
  void write_step();
  void scan_step();
  void format_step();
  void finish_read_id();
  void exchange_with_host(bool to_host);
  void host_side_done(bool terminal_count);
  void commit_write(bool terminal_count);
  void compare_scan(bool terminal_count);
  void commit_format();
  void advance(bool terminal_count);
  bool advance_id();
  bool wraps_at_medium_end();
  void follow_to_cylinder();
  void finish_transfer(u8 interrupt_code);
  void schedule_sector(FloppyTiming::Order order, GuestTime delay = 0);
  bool uses_dma() const { return !non_dma_; }
  bool host_reads() const { return transfer_.kind == Kind::Read || transfer_.kind == Kind::ReadTrack; }
  FloppyDrive* transfer_drive() { return transfer_.drive < kDrives ? &drives_[transfer_.drive] : nullptr; }
  void transfer_state(StateArchive& archive);

  DmaController& dma_;
  Scheduler* scheduler_ = nullptr;
  IrqLine irq_;
  TimerId transfer_timer_ = 0;
  TimerId reset_timer_ = 0;
  std::array<TimerId, 4> seek_timers_{};
  std::array<FloppyDrive, kDrives> drives_;
  FloppyTiming timing_;

  Phase phase_ = Phase::Command;
  u8 digital_output_ = 0;
  u8 tape_drive_ = 0;
  u8 data_rate_ = 2;
  bool interrupt_ = false;  // the pin before the DMA gate
  std::array<u8, 16> command_{};
  u8 command_count_ = 0;
  std::array<u8, 16> result_{};
  u8 result_count_ = 0;
  u8 result_position_ = 0;
  Transfer transfer_;
  std::array<u8, kFloppySectorSize> sector_buffer_{};

  std::array<u8, 4> present_cylinder_{};  // PCN
  std::array<u8, 4> seek_status_{};       // ST0 to report when the seek ends
  std::array<u8, 4> seek_target_{};
  std::array<u8, 4> pending_status_{};  // ST0 for Sense Interrupt Status; 0: none
  u8 busy_drives_ = 0;
  bool after_reset_ = false;  // the pending ones come from a reset: one interrupt for all four

  u8 step_rate_ = 0, head_unload_ = 0, head_load_ = 0;
  bool non_dma_ = false;
  u8 configuration_ = 0;  // configure, byte 2
  u8 precompensation_track_ = 0;
  u8 perpendicular_ = 0;
  bool locked_ = false;
};

}  // namespace relic86
