// The registers' table is in hda_registers.h. Configuration space has, besides the header, HDCTL at 40h (1: the link is
// HDA's) and TCSEL at 44h, which drivers set (Intel I/O Controller Hub 6 datasheet 301473, 19.1), and MSI at 60h.
#include "devices/sound/intel_hda.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "devices/bus_mastering.h"
#include "devices/sound/driver_reaction.h"

namespace relic86 {

using namespace hda;

namespace {

// Four streams each way, addresses of 64 bits.
constexpr u32 kCapabilities = kOutputStreams << 12 | kInputStreams << 8 | 1;
constexpr u32 kRingOf256 = 0x42;  // and nothing else
constexpr u32 kRingAddress = 0xFFFF'FF80;
constexpr u16 kOutputPayloadWords = 0x3C, kInputPayloadWords = 0x1D;
constexpr u32 kOutputFifo = 0xBF, kInputFifo = 0x77;
constexpr u32 kCodecBits = (1u << IntelHda::kCodecs) - 1;
constexpr u32 kReadPointerReset = 0x8000, kPointer = 0xFF;

constexpr RegisterFile::Row kRegisters[] = {
    {kGlobalCapabilities, 2, kCapabilities},
    {kMajorVersion, 1, 1},
    {kOutputPayload, 2, kOutputPayloadWords},
    {kInputPayload, 2, kInputPayloadWords},
    {kGlobalControl, 4, 0, 0x101},
    {kWakeEnable, 2, 0, kCodecBits},
    {kStateChange, 2, 0, 0, kCodecBits},
    {kGlobalStatus, 2, 0, 0, kFlushed},
    {kOutputStreamPayload, 2, kOutputPayloadWords},
    {kInputStreamPayload, 2, kInputPayloadWords},
    {kInterruptControl, 4, 0, kAllInterrupts | kControllerInterrupt | kStreamInterrupts},
    {kInterruptStatus, 4, 0, 0, 0, kAllInterrupts | kControllerInterrupt | kStreamInterrupts},
    {kStreamSync, 4, 0, kStreamInterrupts},
    {kCorbBase, 4, 0, kRingAddress},
    {kCorbBase + 4, 4, 0, ~0u},
    {kCorbWritePointer, 2, 0, kPointer},
    {kCorbReadPointer, 2, 0, kReadPointerReset, 0, kPointer},
    {kCorbControl, 1, 0, 3},
    {kCorbStatus, 1, 0, 0, 1},
    {kCorbSize, 1, kRingOf256},
    {kRirbBase, 4, 0, kRingAddress},
    {kRirbBase + 4, 4, 0, ~0u},
    {kRirbWritePointer, 2, 0, 0, 0, kPointer},
    {kResponseCount, 2, 0, 0xFF},
    {kRirbControl, 1, 0, 7},
    {kRirbStatus, 1, 0, 0, 5},
    {kRirbSize, 1, kRingOf256},
    {kImmediateCommand, 4, 0, ~0u},
    {kImmediateResponse, 4, 0, 0, 0, ~0u},
    {kImmediateStatus, 2, 0, 0, kResponseValid, 0},
    {kPositionBase, 4, 0, kRingAddress | kPositionsEnabled},
    {kPositionBase + 4, 4, 0, ~0u},
};

constexpr RegisterFile::Row kStreamRegisters[] = {
    {kStreamControl, 1, 0, kStreamReset | kStreamRuns | kStreamCauses},
    {kStreamNumber, 1, 0, 0xF7},
    {kStreamStatus, 1, 0, 0, kStreamCauses, kReady},
    {kStreamPosition, 4, 0, 0, 0, ~0u},
    {kBufferLength, 4, 0, ~0u},
    {kLastEntry, 2, 0, kPointer},
    {kStreamFormat, 2, 0, HdaFormat::kBits},
    {kListBase, 4, 0, kRingAddress},
    {kListBase + 4, 4, 0, ~0u},
};
constexpr RegisterFile::Row kOutputRegisters[] = {{kFifoSize, 2, kOutputFifo}};
constexpr RegisterFile::Row kInputRegisters[] = {{kFifoSize, 2, kInputFifo}};

PciIdentity identity_of(IntelHda::Model model) {
  PciIdentity identity;
  const bool ich6 = model == IntelHda::Model::Ich6;
  identity.vendor = 0x8086;
  identity.device = ich6 ? 0x2668 : 0x293E;
  identity.revision = ich6 ? 1 : 3;
  identity.class_code = 0x040300;
  identity.interrupt_pin = 1;
  return identity;
}

constexpr const char* kStreamNames[kStreams] = {"input0",  "input1",  "input2",  "input3",
                                                "output0", "output1", "output2", "output3"};
constexpr u8 kCapabilitiesPointer = 0x34, kMsiCapability = 0x60;
constexpr u32 kStatusWithCapabilities = 0x0210, kStatusClears = 0xF900;
constexpr GuestTime kLatestClockStart = GuestTime{1} << 61;  // of loaded states

}  // namespace

IntelHda::IntelHda(Model model) : PciDevice(identity_of(model)) {
  declare_memory_bar(0, kRegistersSize, 0, 4);
  declare(0x40, 1, 1, 0);
  declare(0x44, 1, 0, 7);
  registers_.declare(kRegisters);
  for (unsigned i = 0; i < kStreams; i++) {
    registers_.declare(kStreamRegisters, base_of(i));
    registers_.declare(is_output(i) ? std::span<const RegisterFile::Row>(kOutputRegisters) : kInputRegisters,
                       base_of(i));
  }
}

void IntelHda::offer_messages(MsiCapability::Send sink) {
  // Only a bus master writes, and the message may lead to a register of this very device.
  msi_.emplace(kMsiCapability, u8{0}, [this, to = std::move(sink)](u64 address, u32 data) {
    if (!bus_master_enabled()) return;
    const BusMastering moving(bus_mastering_);
    to(address, data);
  });
  for (const RegisterFile::Row& row : msi_->rows())
    declare(static_cast<u8>(row.offset), row.width, row.reset, row.writable);
  declare(kCapabilitiesPointer, 1, kMsiCapability, 0);
  declare(kPciStatus, 2, kStatusWithCapabilities, 0, kStatusClears);
}

void IntelHda::add_codec(unsigned address, HdaCodec::Model model, SoundHost* host) {
  RELIC86_ASSERT(address < kCodecs && codecs_[address] == nullptr);
  codecs_[address] = std::make_unique<HdaCodec>(model, host);
}

Result<> IntelHda::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  memory_ = &board.memory();
  for (unsigned i = 0; i < kStreams; i++) timers_[i] = board.timer(*this, kStreamNames[i], i);
  command_timer_ = board.timer(*this, "commands", kStreams);
  return {};
}

void IntelHda::reset_function(ResetKind) {
  registers_.reset();
  reset_link();
}

// Everything but what tells software of wake-ups.
void IntelHda::reset_link() {
  const u32 wake = registers_.read(kWakeEnable, 2), changes = registers_.read(kStateChange, 2);
  registers_.reset();
  registers_.set(kWakeEnable, 2, wake);
  registers_.set(kStateChange, 2, changes);
  for (unsigned i = 0; i < kStreams; i++) reset_stream(i);
  for (const auto& codec : codecs_) {
    if (codec) codec->reset();
  }
  scheduler_->cancel(command_timer_);
  responses_ = 0;
  clock_start_ = scheduler_->now();
  update_interrupt();
}

void IntelHda::state_function(StateArchive& archive) {
  registers_.state(archive, "registers");
  archive.field("responses", responses_);
  archive.field("clock_start", clock_start_);
  for (unsigned i = 0; i < kStreams; i++) {
    archive.group(kStreamNames[i], [&] {
      Stream& stream = streams_[i];
      archive.field("entry", stream.entry);
      archive.field("begun", stream.begun);
      archive.field("interrupts", stream.interrupts);
      archive.field("completed", stream.completed);
      archive.field("left", stream.left);
      archive.field("address", stream.address);
      stream.run.state(archive, HdaFormat::kLeastRate, HdaFormat::kMostRate);
    });
  }
  static constexpr const char* kNames[kCodecs] = {"codec0",  "codec1",  "codec2",  "codec3",  "codec4",
                                                  "codec5",  "codec6",  "codec7",  "codec8",  "codec9",
                                                  "codec10", "codec11", "codec12", "codec13", "codec14"};
  for (unsigned i = 0; i < kCodecs; i++) {
    if (codecs_[i]) archive.group(kNames[i], [&] { codecs_[i]->state(archive); });
  }
  if (!archive.loading()) return;
  clock_start_ = std::clamp<GuestTime>(clock_start_, 0, kLatestClockStart);
  by_messages_ = sends_messages();
  signalled_ = update_causes();  // a message for it has gone out already
  update_interrupt();
}

// Bus mastering may just have been allowed.
void IntelHda::config_written(unsigned offset, unsigned width) {
  if (scheduler_ == nullptr) return;
  if (offset < kPciStatus && offset + width > kPciCommand) expect_commands();
  if (sends_messages() == by_messages_) return;
  by_messages_ = sends_messages();
  signalled_ = 0;  // what waits is told of in the new way
  update_interrupt();
}

u32 IntelHda::wall_clock() const {
  constexpr u64 kMegahertz = 24, kNanoseconds = 1000;
  return static_cast<u32>(static_cast<u64>(scheduler_->now() - clock_start_) * kMegahertz / kNanoseconds);
}

u64 IntelHda::read(RegionId, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  auto at = static_cast<unsigned>(offset);
  if (at >= kAliases) at -= kAliases;
  if (at / 4 == kWallClock / 4) return wall_clock() >> (at % 4 * 8) & all_ones(width);
  if (at / 4 == kOldStreamSync / 4) at += kStreamSync - kOldStreamSync;
  return registers_.read(at, width);
}

void IntelHda::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (bus_mastering_ || offset >= kStoredSize) return;
  auto at = static_cast<unsigned>(offset);
  if (at / 4 == kOldStreamSync / 4) at += kStreamSync - kOldStreamSync;
  const u32 ran = running();
  for (unsigned i = 0; i < width; i++) write_byte(at + i, static_cast<u8>(value >> (i * 8)));
  start_and_stop(ran);
  update_interrupt();
}

void IntelHda::write_byte(unsigned offset, u8 value) {
  if (offset >= kStoredSize) return;
  // In reset there is only what leads out of it.
  const bool in_reset = (registers_.read(kGlobalControl, 1) & kOutOfReset) == 0;
  if (in_reset && (offset < kGlobalControl || offset >= kGlobalStatus)) return;
  const u8 before = static_cast<u8>(registers_.read(offset, 1));
  registers_.write_byte(offset, value);
  // Bits that are commands and are not stored.
  if (offset == kGlobalControl && (value & kFlush) != 0) registers_.raise(kGlobalStatus, kFlushed);
  if (offset == kRirbWritePointer + 1 && (value & kPointerReset) != 0) registers_.set(kRirbWritePointer, 1, 0);
  if (offset == kImmediateStatus && (value & kSend) != 0) take_immediate_command();
  if (offset >= kFirstStream)
    stream_written((offset - kFirstStream) / kStreamSize, offset % kStreamSize, before);
  else
    register_written(offset, before);
}

void IntelHda::register_written(unsigned offset, u8 before) {
  const auto value = static_cast<u8>(registers_.read(offset, 1));
  switch (offset) {
    case kGlobalControl:
      if (((before ^ value) & kOutOfReset) == 0) break;
      reset_link();
      if ((value & kOutOfReset) == 0) break;
      registers_.set(kGlobalControl, 1, value);
      // The codecs report themselves when the link runs again.
      for (unsigned i = 0; i < kCodecs; i++) {
        if (codecs_[i]) registers_.raise(kStateChange + i / 8, static_cast<u8>(1u << i % 8));
      }
      break;
    case kCorbReadPointer + 1:
      if ((value & kPointerReset) != 0) registers_.set(kCorbReadPointer, 1, 0);
      break;
    case kCorbWritePointer:
    case kCorbControl:
    case kRirbControl: expect_commands(); break;
    default: break;
  }
}

// What interrupts: the enabled bits of INTSTS, which it brings up to the present.
u32 IntelHda::update_causes() {
  const bool responses = (registers_.read(kRirbStatus, 1) & registers_.read(kRirbControl, 1) & kResponseInterrupt) != 0;
  const bool woken = (registers_.read(kStateChange, 2) & registers_.read(kWakeEnable, 2)) != 0;
  u32 status = responses || woken ? kControllerInterrupt : 0;
  for (unsigned i = 0; i < kStreams; i++) {
    const u32 causes = registers_.read(base_of(i) + kStreamStatus, 1) & registers_.read(base_of(i) + kStreamControl, 1);
    if ((causes & kStreamCauses) != 0) status |= 1u << i;
  }
  const u32 enabled = registers_.read(kInterruptControl, 4);
  if ((status & enabled) != 0) status |= kAllInterrupts;
  registers_.set(kInterruptStatus, 4, status);
  return (enabled & kAllInterrupts) != 0 ? status & enabled : 0;
}

// A message has no level: one goes out whenever there is a cause that it has not told of, or some are left when others
// have been dealt with.
void IntelHda::update_interrupt() {
  const u32 causes = update_causes();
  const u32 told = std::exchange(signalled_, causes);
  set_interrupt(causes != 0 && !sends_messages());
  if (causes != 0 && causes != told && sends_messages()) msi_->notify(*this);
}

void IntelHda::event(u32 id, GuestTime late) {
  const BusMastering moving(bus_mastering_);
  if (id == kStreams) return take_command();
  Stream& stream = streams_[id];
  if (!runs(id)) return;
  stream.run.resume(scheduler_->now(), late, format_of(id).rate());
  // What was moved last has sounded.
  if (stream.completed) {
    stream.completed = false;
    registers_.raise(base_of(id) + kStreamStatus, kCompleted);
    update_interrupt();
    return scheduler_->schedule_at(timers_[id], after_reaction(stream.run));
  }
  move_piece(id);
}

}  // namespace relic86
