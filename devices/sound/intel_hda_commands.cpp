// Commands to the codecs: a ring of them that the controller reads (CORB), another one that it writes the responses to
// (RIRB), and the immediate command's registers (High Definition Audio Specification 1.0a, 4.4).
#include "base/byte_order.h"
#include "devices/sound/intel_hda.h"

namespace relic86 {

using namespace hda;

namespace {

constexpr GuestTime kFrame = 20'833;  // of the link: one command each
constexpr unsigned kCommandBytes = 4, kResponseBytes = 8, kRingMask = 0xFF;
constexpr unsigned kAddressShift = 28;

u64 address_at(const RegisterFile& registers, unsigned low) {
  return registers.read(low, 4) | u64{registers.read(low + 4, 4)} << 32;
}

}  // namespace

// One is taken with the next frame, if there is one.
void IntelHda::expect_commands() {
  const bool run = (registers_.read(kCorbControl, 1) & kRingRuns) != 0 && bus_master_enabled();
  if (!run || registers_.read(kCorbReadPointer, 1) == registers_.read(kCorbWritePointer, 1)) return;
  if (scheduler_->deadline(command_timer_) == Scheduler::kNever) scheduler_->schedule_in(command_timer_, kFrame);
}

void IntelHda::take_command() {
  const bool run = (registers_.read(kCorbControl, 1) & kRingRuns) != 0 && bus_master_enabled();
  const u32 written = registers_.read(kCorbWritePointer, 1);
  u32 read = registers_.read(kCorbReadPointer, 1);
  if (!run || read == written) return;
  read = (read + 1) & kRingMask;
  registers_.set(kCorbReadPointer, 1, read);
  std::array<u8, kCommandBytes> bytes{};
  memory_->read_block(PhysAddr(address_at(registers_, kCorbBase) + u64{read} * kCommandBytes), bytes);
  const auto command = load_le<u32>(bytes, 0);
  if (const auto response = ask_codec(command)) store_response(command >> kAddressShift, *response);
  // A frame without a response ends the count, too, and after the last command there is one.
  const u32 wanted = registers_.read(kResponseCount, 1);
  const u32 most = wanted == 0 ? kRingMask + 1 : wanted;
  if (responses_ >= most || (read == written && responses_ != 0)) {
    responses_ = 0;
    registers_.raise(kRirbStatus, kResponseInterrupt);
    update_interrupt();
  }
  expect_commands();
}

// Nothing: there is no such codec.
std::optional<u32> IntelHda::ask_codec(u32 command) {
  const unsigned address = command >> kAddressShift;
  if (address >= codecs_.size() || codecs_[address] == nullptr) return {};
  return codecs_[address]->command(command & ((1u << kAddressShift) - 1));
}

void IntelHda::store_response(unsigned address, u32 response) {
  if ((registers_.read(kRirbControl, 1) & kRingRuns) == 0) return;
  const u32 place = (registers_.read(kRirbWritePointer, 1) + 1) & kRingMask;
  std::array<u8, kResponseBytes> bytes{};
  store_le<u32>(bytes, 0, response);
  bytes[4] = static_cast<u8>(address);
  memory_->write_block(PhysAddr(address_at(registers_, kRirbBase) + u64{place} * kResponseBytes), bytes);
  registers_.set(kRirbWritePointer, 1, place);
  responses_++;
}

void IntelHda::take_immediate_command() {
  const auto response = ask_codec(registers_.read(kImmediateCommand, 4));
  if (!response) return registers_.lower(kImmediateStatus, kResponseValid);
  registers_.set(kImmediateResponse, 4, *response);
  registers_.raise(kImmediateStatus, kResponseValid);
}

}  // namespace relic86
