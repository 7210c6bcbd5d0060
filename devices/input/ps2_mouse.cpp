// PS/2 mouse (IBM PS/2 Mouse Technical Reference; Microsoft IntelliMouse and IntelliMouse Explorer protocol notes)
//
//   to the mouse                                            from the mouse
//   E6/E7  scaling 1:1 / 2:1                                FA  acknowledge   FE  resend   FC  second error
//   E8 b   resolution 0-3: 1, 2, 4, 8 counts per mm         AA 00  self test passed, identification
//   E9     status: 3 bytes                                  status: 6 remote, 5 reporting, 4 scaling 2:1, 2 left,
//   EA     stream mode   F0  remote mode                            1 middle, 0 right; resolution; sample rate
//   EB     read data: one packet                            packet: 7 Y overflow, 6 X overflow, 5 Y sign, 4 X sign,
//   EC/EE  wrap mode off / on                                       3 one, 2 middle, 1 right, 0 left; X; Y;
//   F2     identify: 0, 3 (wheel), 4 (5 buttons)                    ID 3: Z (8 bits)
//   F3 b   sample rate 10-200; 200,100,80: ID 3;                    ID 4: 5 button 5, 4 button 4, 3:0 Z
//          200,200,80: ID 4
//   F4/F5  reporting on / off   F6  defaults   FE  resend   FF  reset and self test
#include "devices/input/ps2_mouse.h"

#include <algorithm>
#include <cstdlib>

#include "base/log.h"

namespace relic86 {

namespace {
constexpr GuestTime kSecond = 1'000'000'000;
constexpr GuestTime kResetTest = 2'000'000;  // as the keyboard's
constexpr i32 kMostHeld = 1 << 16;           // counts kept while nobody reads
constexpr u8 kDefaultRate = 100, kDefaultResolution = 2;

i32 hold(i32 sum, int more) { return static_cast<i32>(std::clamp<i64>(i64{sum} + more, -kMostHeld, kMostHeld)); }

// Scaling 2:1 (Mouse Technical Reference, Set Scaling 2:1).
i32 scale(i32 counts) {
  constexpr std::array<i32, 6> kSmall = {0, 1, 1, 3, 6, 9};
  const i32 size = std::abs(counts);
  const i32 scaled = size < 6 ? kSmall[static_cast<std::size_t>(size)] : size * 2;
  return counts < 0 ? -scaled : scaled;
}
}  // namespace

Result<> Ps2Mouse::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  sample_timer_ = board.timer(*this, "sample", kSample);
  self_test_timer_ = board.timer(*this, "self_test", kSelfTestDone);
  return {};
}

// The power-on test is over when the processor starts, and its AAh 00h are gone (devices/input/ps2_keyboard.cpp).
void Ps2Mouse::reset(ResetKind) {
  responses_.clear();
  set_defaults();
  awaiting_ = last_sent_ = 0;
  abandon_self_test();
}

void Ps2Mouse::set_defaults() {
  sample_rate_ = kDefaultRate;
  resolution_ = kDefaultResolution;
  scaling_ = reporting_ = wrap_ = error_before_ = false;
  mode_ = Mode::Stream;
  id_ = 0;
  rates_ = {};
  packet_.clear();
  dx_ = dy_ = dz_ = 0;
  reported_buttons_ = buttons_;
  scheduler_->cancel(sample_timer_);
}

void Ps2Mouse::start_self_test() {
  self_testing_ = true;
  scheduler_->schedule_in(self_test_timer_, kResetTest);
}

void Ps2Mouse::abandon_self_test() {
  self_testing_ = false;
  scheduler_->cancel(self_test_timer_);
}

void Ps2Mouse::state(StateArchive& archive) {
  packet_.state(archive, "packet");
  responses_.state(archive, "responses");
  archive.field("dx", dx_);
  archive.field("dy", dy_);
  archive.field("dz", dz_);
  archive.field("buttons", buttons_);
  archive.field("reported_buttons", reported_buttons_);
  archive.field("id", id_);
  archive.bytes("rates", rates_);
  archive.field("sample_rate", sample_rate_);
  archive.field("resolution", resolution_);
  archive.field("mode", mode_);
  archive.field("wrap", wrap_);
  archive.field("reporting", reporting_);
  archive.field("scaling", scaling_);
  archive.field("self_testing", self_testing_);
  archive.field("error_before", error_before_);
  archive.field("awaiting", awaiting_);
  archive.field("last_sent", last_sent_);
  if (sample_rate_ == 0) sample_rate_ = kDefaultRate;
  if (mode_ != Mode::Remote) mode_ = Mode::Stream;
  dx_ = hold(dx_, 0), dy_ = hold(dy_, 0), dz_ = hold(dz_, 0);
}

// --- The host's side ---

void Ps2Mouse::move(int dx, int dy, int dz) {
  dx_ = hold(dx_, dx);
  dy_ = hold(dy_, dy == INT32_MIN ? INT32_MAX : -dy);
  dz_ = hold(dz_, dz == INT32_MIN ? INT32_MAX : -dz);
  try_to_report();
}

void Ps2Mouse::buttons(u8 mask) {
  buttons_ = mask & 0x1F;
  try_to_report();
}

bool Ps2Mouse::changed() const {
  const u8 seen = id_ == 4 ? 0x1F : 0x07;
  return dx_ != 0 || dy_ != 0 || (id_ != 0 && dz_ != 0) || ((buttons_ ^ reported_buttons_) & seen) != 0;
}

// At most one report per sampling period, and none while the last one has not been read.
void Ps2Mouse::try_to_report() {
  if (!reporting() || wrap_ || self_testing_ || awaiting_ != 0 || !packet_.empty() || !changed()) return;
  if (scheduler_->deadline(sample_timer_) != Scheduler::kNever) return;
  const Packet packet = make_packet(true);
  for (unsigned i = 0; i < packet.count; i++) packet_.push(packet.bytes[i]);
  scheduler_->schedule_in(sample_timer_, kSecond / sample_rate_);
  if (host_ != nullptr) host_->data_ready();
}

Ps2Mouse::Packet Ps2Mouse::make_packet(bool scaled) {
  const i32 most = scaled && scaling_ ? 127 : 255;
  const i32 x_counts = std::clamp(dx_, -most, most);
  const i32 y_counts = std::clamp(dy_, -most, most);
  dx_ -= x_counts;
  dy_ -= y_counts;
  const i32 x = scaled && scaling_ ? scale(x_counts) : x_counts;
  const i32 y = scaled && scaling_ ? scale(y_counts) : y_counts;
  Packet packet;
  packet.bytes[0] = static_cast<u8>(0x08 | button_bits() | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
  packet.bytes[1] = static_cast<u8>(x);
  packet.bytes[2] = static_cast<u8>(y);
  packet.count = 3;
  if (id_ == 0) {
    dz_ = 0;
  } else {
    const i32 z = std::clamp(dz_, -8, 7);
    dz_ -= z;
    packet.bytes[3] = id_ == 3 ? static_cast<u8>(z) : static_cast<u8>((z & 0x0F) | (buttons_ & 0x18) << 1);
    packet.count = 4;
  }
  reported_buttons_ = buttons_;
  return packet;
}

void Ps2Mouse::event(u32 id, GuestTime) {
  if (id == kSelfTestDone) {
    self_testing_ = false;
    respond(0xAA);
    return respond(0x00);
  }
  try_to_report();
}

// --- Talking to the controller ---

u8 Ps2Mouse::take_byte() {
  last_sent_ = responses_.empty() ? packet_.pop() : responses_.pop();
  if (responses_.empty() && packet_.empty()) try_to_report();
  return last_sent_;
}

void Ps2Mouse::respond(u8 byte) {
  responses_.push(byte);
  if (host_ != nullptr) host_->data_ready();
}

void Ps2Mouse::receive(u8 byte) {
  // A host that does not wait for the AAh of a reset is answered at once, and hears no more of the test.
  if (self_testing_) abandon_self_test();
  if (wrap_ && byte != 0xFF && byte != 0xEC) return respond(byte);
  if (byte != 0xFE) {
    keep_acknowledgements(responses_);
    packet_.clear();
  }
  if (awaiting_ != 0 && byte != 0xFF) {
    parameter(byte);
  } else {
    awaiting_ = 0;
    command(byte);
  }
  try_to_report();
}

void Ps2Mouse::command(u8 byte) {
  const bool error_before = error_before_;
  error_before_ = false;
  switch (byte) {
    case 0xE6: scaling_ = false; return acknowledge();
    case 0xE7: scaling_ = true; return acknowledge();
    case 0xE8:
    case 0xF3: awaiting_ = byte; return acknowledge();
    case 0xE9: acknowledge(); return send_status();
    case 0xEA: mode_ = Mode::Stream; return acknowledge();
    case 0xEB: {
      acknowledge();
      const Packet packet = make_packet(false);
      for (unsigned i = 0; i < packet.count; i++) respond(packet.bytes[i]);
      return;
    }
    case 0xEC: wrap_ = false; return acknowledge();
    case 0xEE: wrap_ = true; return acknowledge();
    case 0xF0: mode_ = Mode::Remote; return acknowledge();
    case 0xF2: acknowledge(); return respond(id_);
    case 0xF4:
      reporting_ = true;
      dx_ = dy_ = dz_ = 0;  // what moved while nobody listened is gone
      reported_buttons_ = buttons_;
      return acknowledge();
    case 0xF5: reporting_ = false; return acknowledge();
    case 0xF6: {
      const u8 id = id_;  // only a reset takes the wheel away
      set_defaults();
      id_ = id;
      return acknowledge();
    }
    case 0xFE: return respond(last_sent_);
    case 0xFF:
      set_defaults();
      acknowledge();
      return start_self_test();
    default:
      log::once(log::Channel::GuestErrors, "ps2.mouse: unknown command {:02X}h", byte);
      error_before_ = true;
      return respond(error_before ? 0xFC : 0xFE);
  }
}

void Ps2Mouse::parameter(u8 byte) {
  const u8 to = awaiting_;
  awaiting_ = 0;
  if (to == 0xF3) return set_sample_rate(byte);
  if (byte > 3) return respond(0xFE);
  resolution_ = byte;
  acknowledge();
}

void Ps2Mouse::set_sample_rate(u8 rate) {
  if (rate == 0) return respond(0xFE);
  sample_rate_ = rate;
  rates_ = {rates_[1], rates_[2], rate};
  if (rates_ == std::array<u8, 3>{200, 100, 80}) id_ = 3;
  if (rates_ == std::array<u8, 3>{200, 200, 80}) id_ = 4;
  acknowledge();
}

void Ps2Mouse::send_status() {
  u8 status = 0;
  if (mode_ == Mode::Remote) status |= 0x40;
  if (reporting_) status |= 0x20;
  if (scaling_) status |= 0x10;
  if ((buttons_ & kLeft) != 0) status |= 0x04;
  if ((buttons_ & kMiddle) != 0) status |= 0x02;
  if ((buttons_ & kRight) != 0) status |= 0x01;
  respond(status);
  respond(resolution_);
  respond(sample_rate_);
}

}  // namespace relic86
