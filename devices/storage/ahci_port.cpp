// Port registers (AHCI 1.3, 3.3)
//
//   offset  R/W  content
//   00h-07h RW   PxCLB: the command list, in multiples of 1 KiB;  08h-0Fh PxFB: received FISes, of 256 bytes
//   10h     RWC  PxIS: 0 DHRS, 1 PSS, 6 PCS (R), 22 PRCS (R), 24 OFS, 29 HBFS, 30 TFES;  14h RW PxIE
//   18h     RW   PxCMD: 0 ST, 1 SUD and 2 POD (1), 3 CLO, 4 FRE, 12:8 CCS (R), 14 FR (R), 15 CR (R), 24 ATAPI
//   20h     R    PxTFD: 7:0 status, 15:8 error;  24h R PxSIG
//   28h     R    PxSSTS: 3:0 DET, 7:4 SPD, 11:8 IPM;  2Ch RW PxSCTL: 3:0 DET;  30h RWC PxSERR: 16 N, 26 X
//   34h     RW   PxSACT (there are no queued commands);  38h RW PxCI
//
// A command header has 32 bytes (4.2.2): in the first doubleword 4:0 the FIS's length, 6 W, 31:16 the number of region
// descriptors; in the second the count of bytes moved; then the table's address. The table (4.2.3) begins with the
// FIS, has the packet at 40h and the region descriptors at 80h.
#include "devices/storage/ahci_port.h"

#include <algorithm>

#include "base/byte_order.h"

namespace relic86 {

using namespace ata;

namespace {
enum PortRegister : u32 {
  kList = 0x00,
  kListUpper = 0x04,
  kReceived = 0x08,
  kReceivedUpper = 0x0C,
  kInterruptStatus = 0x10,
  kInterruptEnable = 0x14,
  kCommandAndStatus = 0x18,
  kTaskFile = 0x20,
  kSignature = 0x24,
  kLinkStatus = 0x28,
  kLinkControl = 0x2C,
  kLinkError = 0x30,
  kIssue = 0x38,
};
enum Interrupt : u32 {
  kRegistersFis = 1u << 0,
  kPioSetupFis = 1u << 1,
  kConnectChange = 1u << 6,
  kPhyReadyChange = 1u << 22,
  kOverflow = 1u << 24,
  kHostBusFatal = 1u << 29,
  kTaskFileError = 1u << 30,
};
constexpr u32 kKeptInterrupts = kRegistersFis | kPioSetupFis | kOverflow | kHostBusFatal | kTaskFileError;
constexpr u32 kInterruptEnables = 0xFDC000FF;
enum CommandBit : u32 {
  kStart = 1u << 0,
  kAlwaysOn = 1u << 1 | 1u << 2,  // SUD and POD: there is no staggered spin-up and no cold presence detection
  kListOverride = 1u << 3,
  kReceiveEnable = 1u << 4,
  kSlotShift = 8,
  kReceiving = 1u << 14,
  kRunning = 1u << 15,
  kAtapi = 1u << 24,
};
constexpr u32 kLinkUp = 0x113;  // a device and its link at 1.5 Gb/s, active
constexpr u32 kDetectMask = 0xF, kDetectOffline = 4, kLinkControlBits = 0xFFF;
constexpr u32 kPhyReadyError = 1u << 16, kExchangedError = 1u << 26;
constexpr u32 kNobody = 0x7F;
constexpr unsigned kSlots = 32;
constexpr u64 kHeaderSize = 32, kPacketAt = 0x40, kRegionsAt = 0x80;
constexpr u64 kPioSetupAt = 0x20, kRegistersAt = 0x40;  // of received FISes
constexpr std::size_t kFisSize = 20;
constexpr u8 kFisToDevice = 0x27, kFisToHost = 0x34, kFisPioSetup = 0x5F;
constexpr u8 kFisIsCommand = 0x80, kFisInterrupts = 0x40, kFisToMemory = 0x20;

void set_low(u64& whole, u32 value, u32 writable) { whole = (whole & ~u64{0xFFFFFFFF}) | (value & writable); }
void set_high(u64& whole, u32 value) { whole = (whole & 0xFFFFFFFF) | u64{value} << 32; }
}  // namespace

void AhciPort::plug(std::unique_ptr<AtaDevice> drive) {
  drive_ = std::move(drive);
  drive_->plug(this);
}

void AhciPort::attach(AhciHost& host, Scheduler& scheduler, const std::array<TimerId, kTimers>& timers) {
  host_ = &host;
  scheduler_ = &scheduler;
  timers_ = timers;
}

// --- Resets ---

void AhciPort::reset_registers() {
  interrupt_status_ = interrupt_enable_ = command_ = 0;
  link_control_ = link_error_ = 0;
  task_file_ = kNobody;
  signature_ = 0xFFFFFFFF;
  stop_list();
  resetting_ = soft_reset_ = false;
  scheduler_->cancel(timers_[kLook]);
}

void AhciPort::stop_list() {
  issued_ = 0;
  active_ = halted_ = packet_next_ = first_block_ = false;
  slot_ = 0;
  table_ = 0;
  transferred_ = 0;
  regions_.start(0, 0);
}

void AhciPort::reset(ResetKind kind) {
  list_ = received_ = 0;
  reset_registers();
  if (!drive_) return;
  drive_->reset(kind);
  take_registers();
}

void AhciPort::reset_by_host() {
  reset_registers();
  if (!drive_) return;
  drive_->hold_reset();
  link_up();
}

void AhciPort::link_up() {
  link_error_ |= kPhyReadyError | kExchangedError;
  task_file_ = kBsy;
  resetting_ = true;
  drive_->release_reset();
}

// --- Registers ---

u32 AhciPort::interrupt_status() const {
  return interrupt_status_ | ((link_error_ & kExchangedError) != 0 ? kConnectChange : 0u) |
         ((link_error_ & kPhyReadyError) != 0 ? kPhyReadyChange : 0u);
}

void AhciPort::raise(u32 bits) {
  interrupt_status_ |= bits;
  host_->port_interrupt_changed();
}

u32 AhciPort::read(u32 offset) const {
  switch (offset) {
    case kList: return static_cast<u32>(list_);
    case kListUpper: return static_cast<u32>(list_ >> 32);
    case kReceived: return static_cast<u32>(received_);
    case kReceivedUpper: return static_cast<u32>(received_ >> 32);
    case kInterruptStatus: return interrupt_status();
    case kInterruptEnable: return interrupt_enable_;
    case kCommandAndStatus:
      return command_ | kAlwaysOn | u32{slot_} << kSlotShift | (enabled(kReceiveEnable) ? u32{kReceiving} : 0) |
             (enabled(kStart) ? u32{kRunning} : 0);
    case kTaskFile: return task_file_;
    case kSignature: return signature_;
    case kLinkStatus: {
      const u32 detect = link_control_ & kDetectMask;
      if (detect == kDetectOffline) return kDetectOffline;
      return drive_ && detect == 0 ? kLinkUp : 0;
    }
    case kLinkControl: return link_control_;
    case kLinkError: return link_error_;
    case kIssue: return issued_;
    default: return 0;
  }
}

void AhciPort::write(u32 offset, u32 value) {
  switch (offset) {
    case kList: set_low(list_, value, 0xFFFFFC00); break;
    case kListUpper: set_high(list_, value); break;
    case kReceived: set_low(received_, value, 0xFFFFFF00); break;
    case kReceivedUpper: set_high(received_, value); break;
    case kInterruptStatus: interrupt_status_ &= ~value; break;
    case kInterruptEnable: interrupt_enable_ = value & kInterruptEnables; break;
    case kCommandAndStatus: write_command(value); break;
    case kLinkControl: write_link_control(value); break;
    case kLinkError: link_error_ &= ~value; break;
    case kIssue:
      if (!enabled(kStart)) return;
      issued_ |= value;
      return look_soon();
    default: return;
  }
  host_->port_interrupt_changed();
}

void AhciPort::write_command(u32 value) {
  const bool was_started = enabled(kStart);
  command_ = value & (kStart | kReceiveEnable | kAtapi);
  if (was_started && !enabled(kStart)) stop_list();
  if ((value & kListOverride) != 0 && !was_started) task_file_ &= ~u32{kBsy | kDrq};
  if (enabled(kStart)) look_soon();
}

// COMRESET is sent while DET is 1, and the link comes up when it is 0 again (AHCI 1.3, 10.4.2).
void AhciPort::write_link_control(u32 value) {
  const u32 before = link_control_ & kDetectMask, now = value & kDetectMask;
  link_control_ = value & kLinkControlBits;
  if (!drive_ || before == now) return;
  if (now != 0) {
    stop_list();
    drive_->hold_reset();
    task_file_ = kNobody;
    resetting_ = soft_reset_ = false;
  } else {
    link_up();
  }
}

// --- Events ---

void AhciPort::schedule(const AtaDevice&, GuestTime delay) { scheduler_->schedule_in(timers_[kDrive], delay); }

void AhciPort::stop(const AtaDevice&) { scheduler_->cancel(timers_[kDrive]); }

void AhciPort::look_soon() {
  if (scheduler_->deadline(timers_[kLook]) == Scheduler::kNever) scheduler_->schedule_in(timers_[kLook], kLatency);
}

void AhciPort::event(Timer timer) {
  if (!drive_) return;
  if (timer == kDrive) drive_->proceed();
  look();
}

// --- Commands ---

void AhciPort::look() {
  if (resetting_) {
    if ((drive_->status() & kBsy) != 0) return;
    resetting_ = false;
    take_registers();
    post_registers(0);
  }
  while (host_->masters_bus() && enabled(kStart) && !halted_) {
    const Step step = active_ ? go_on() : start_command();
    if (step == Step::Wait) return;
  }
}

AhciPort::Step AhciPort::start_command() {
  if (issued_ == 0 || (task_file_ & (kBsy | kDrq)) != 0) {
    if (!soft_reset_ || issued_ == 0) return Step::Wait;  // the FIS that ends a reset goes to a drive that is busy
  }
  // The lowest slot after the last one.
  unsigned slot = (slot_ + 1u) % kSlots;
  while ((issued_ >> slot & 1) == 0) slot = (slot + 1) % kSlots;
  slot_ = static_cast<u8>(slot);
  std::array<u8, 16> header{};
  if (!host_->memory().read(list_ + slot * kHeaderSize, header)) return fail(kHostBusFatal);
  table_ = load_le<u64>(header, 8) & ~u64{0x7F};
  std::array<u8, kFisSize> fis{};
  if (!host_->memory().read(table_, fis)) return fail(kHostBusFatal);
  if (fis[0] != kFisToDevice || (fis[1] & kFisIsCommand) == 0) {
    issued_ &= ~(1u << slot);
    return fis[0] == kFisToDevice ? take_control(fis[15]) : Step::Again;
  }
  const u8 code = fis[2];
  if (drive_->asleep() && code != kDeviceReset) {  // no answer comes, so that BSY stands until a reset
    task_file_ = kBsy;
    return Step::Wait;
  }
  AtaDevice::LinkRegisters registers;
  registers.features = fis[3];
  registers.lba = {fis[4], fis[5], fis[6]};
  registers.device = fis[7];
  registers.lba_high = {fis[8], fis[9], fis[10]};
  registers.features_high = fis[11];
  registers.count = static_cast<u16>(fis[12] | fis[13] << 8);
  drive_->set_link_registers(registers);
  regions_.start(table_ + kRegionsAt, load_le<u16>(header, 2));
  transferred_ = 0;
  active_ = true;
  packet_next_ = code == kPacket;
  first_block_ = true;
  task_file_ = kBsy;
  if (code == kDiagnostic) {
    drive_->diagnose(true);
  } else {
    drive_->command(code);
  }
  return Step::Again;
}

// The device control register: SRST, which software sets and clears by a FIS each.
AhciPort::Step AhciPort::take_control(u8 control) {
  const bool reset = (control & kSrst) != 0;
  if (reset == soft_reset_) return Step::Again;
  soft_reset_ = reset;
  task_file_ = kBsy;
  if (reset) {
    drive_->hold_reset();
    return Step::Again;
  }
  resetting_ = true;
  drive_->release_reset();
  return Step::Wait;
}

AhciPort::Step AhciPort::go_on() {
  if (drive_->dma_wanted()) return move_dma();
  if (drive_->offers_data()) return read_block();
  if (drive_->wants_data()) return write_block();
  if ((drive_->status() & kBsy) != 0) return Step::Wait;
  take_registers();
  post_registers(kFisInterrupts);
  finish_command(kRegistersFis);
  return Step::Again;
}

// Data from the drive that the regions have no room for is dropped. Data for the drive is never made up: the command
// fails.
AhciPort::Step AhciPort::move_dma() {
  const bool to_memory = drive_->dma_to_memory();
  for (std::size_t moved = 0; drive_->dma_wanted() && moved < kBurstBytes;) {
    const std::span<u8> window = drive_->dma_window();
    std::size_t count = 0;
    const AhciRegions::Outcome outcome = regions_.move(host_->memory(), window, to_memory, count);
    transferred_ += static_cast<u32>(count);
    if (outcome == AhciRegions::Outcome::NoAnswer) return fail(kHostBusFatal);
    if (outcome == AhciRegions::Outcome::Ended) {
      if (!to_memory) return fail(kOverflow);
      raise(kOverflow);
    }
    moved += window.size();
    drive_->dma_moved(window.size());
  }
  if (!drive_->dma_wanted()) return Step::Again;
  scheduler_->schedule_in(timers_[kLook], kBurst);
  return Step::Wait;
}

AhciPort::Step AhciPort::read_block() {
  const u8 status = drive_->status();
  std::vector<u8> block(drive_->block_left());
  block.resize(drive_->read_data(block));
  const u8 end_status = drive_->status();
  std::size_t count = 0;
  const AhciRegions::Outcome outcome = regions_.move(host_->memory(), block, true, count);
  transferred_ += static_cast<u32>(count);
  if (outcome == AhciRegions::Outcome::NoAnswer) return fail(kHostBusFatal);
  post_pio_setup(status, end_status, static_cast<u32>(block.size()), kFisInterrupts | kFisToMemory);
  drive_->acknowledge();
  if (outcome == AhciRegions::Outcome::Ended) raise(kOverflow);
  task_file_ = end_status | u32{drive_->link_registers().error} << 8;
  // The end of PIO to the host has no registers FIS: the status came with the data.
  if ((end_status & (kBsy | kDrq)) == 0) finish_command(kPioSetupFis);
  raise(kPioSetupFis);
  return Step::Again;
}

AhciPort::Step AhciPort::write_block() {
  const u8 status = drive_->status();
  std::vector<u8> block(drive_->block_left());
  if (packet_next_) {
    packet_next_ = false;
    if (!host_->memory().read(table_ + kPacketAt, block)) return fail(kHostBusFatal);
  } else {
    std::size_t count = 0;
    const AhciRegions::Outcome outcome = regions_.move(host_->memory(), block, false, count);
    transferred_ += static_cast<u32>(count);
    if (outcome != AhciRegions::Outcome::Moved)
      return fail(outcome == AhciRegions::Outcome::Ended ? kOverflow : kHostBusFatal);
  }
  const bool interrupts = !first_block_;
  first_block_ = false;
  drive_->write_data(block);
  post_pio_setup(status, kBsy, static_cast<u32>(block.size()), interrupts ? kFisInterrupts : u8{0});
  drive_->acknowledge();
  if (interrupts) raise(kPioSetupFis);
  return Step::Again;
}

// The task file says how the command ended.
void AhciPort::finish_command(u32 interrupt) {
  std::array<u8, 4> count{};
  store_le<u32>(count, 0, transferred_);
  constexpr u64 kCountAt = 4;
  host_->memory().write(list_ + slot_ * kHeaderSize + kCountAt, count);
  active_ = false;
  drive_->acknowledge();
  halted_ = (task_file_ & kErr) != 0;
  if (!halted_) issued_ &= ~(1u << slot_);
  raise(halted_ ? interrupt | kTaskFileError : interrupt);
}

AhciPort::Step AhciPort::fail(u32 cause) {
  halted_ = true;
  active_ = false;
  raise(cause);
  return Step::Wait;
}

// --- What the drive sends ---

// A reset's end shows the signature, and so does every registers FIS of a drive that has not been given a command.
void AhciPort::take_registers() {
  const AtaDevice::LinkRegisters registers = drive_->link_registers();
  task_file_ = registers.status | u32{registers.error} << 8;
  if (!active_)
    signature_ = (registers.count & 0xFFu) | u32{registers.lba[0]} << 8 | u32{registers.lba[1]} << 16 |
                 u32{registers.lba[2]} << 24;
}

void AhciPort::fill_registers(std::span<u8> fis) const {
  const AtaDevice::LinkRegisters registers = drive_->link_registers();
  fis[2] = registers.status;
  fis[3] = registers.error;
  std::copy(registers.lba.begin(), registers.lba.end(), &fis[4]);
  fis[7] = registers.device;
  std::copy(registers.lba_high.begin(), registers.lba_high.end(), &fis[8]);
  store_le<u16>(fis, 12, registers.count);
}

// A FIS is lost where nothing answers at the address for received FISes; that is no error of the command.
void AhciPort::post_registers(u8 flags) {
  if (!enabled(kReceiveEnable)) return;
  std::array<u8, kFisSize> fis{kFisToHost, flags};
  fill_registers(fis);
  host_->memory().write(received_ + kRegistersAt, fis);
}

void AhciPort::post_pio_setup(u8 status, u8 end_status, u32 count, u8 flags) {
  if (!enabled(kReceiveEnable)) return;
  std::array<u8, kFisSize> fis{kFisPioSetup, flags};
  fill_registers(fis);
  fis[2] = status;
  fis[15] = end_status;
  store_le<u16>(fis, 16, static_cast<u16>(count));
  host_->memory().write(received_ + kPioSetupAt, fis);
}

// --- State ---

void AhciPort::state(StateArchive& archive) {
  archive.field("list", list_);
  archive.field("received", received_);
  archive.field("interrupt_status", interrupt_status_);
  archive.field("interrupt_enable", interrupt_enable_);
  archive.field("command", command_);
  archive.field("task_file", task_file_);
  archive.field("signature", signature_);
  archive.field("link_control", link_control_);
  archive.field("link_error", link_error_);
  archive.field("issued", issued_);
  archive.field("active", active_);
  archive.field("halted", halted_);
  archive.field("resetting", resetting_);
  archive.field("soft_reset", soft_reset_);
  archive.field("packet_next", packet_next_);
  archive.field("first_block", first_block_);
  archive.field("slot", slot_);
  archive.field("table", table_);
  archive.field("transferred", transferred_);
  archive.group("regions", [&] { regions_.state(archive); });
  if (drive_) archive.group("drive", [&] { drive_->state(archive); });
  if (!archive.loading()) return;
  list_ &= ~u64{0x3FF};
  received_ &= ~u64{0xFF};
  interrupt_status_ &= kKeptInterrupts;
  interrupt_enable_ &= kInterruptEnables;
  command_ &= kStart | kReceiveEnable | kAtapi;
  task_file_ &= 0xFFFF;
  link_control_ &= kLinkControlBits;
  slot_ %= kSlots;
  if (!drive_ || !enabled(kStart)) active_ = false;
  if (!drive_) resetting_ = soft_reset_ = false;
}

}  // namespace relic86
