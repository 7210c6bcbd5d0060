// PS/2 mouse with wheel and five buttons (IntelliMouse and IntelliMouse Explorer protocols).
#pragma once

#include <array>

#include "devices/attachment.h"
#include "devices/byte_queue.h"
#include "devices/input/ps2_port.h"

namespace relic86 {

class Ps2Mouse final : public Device, public Ps2Device {
 public:
  enum Button : u8 { kLeft = 1, kRight = 2, kMiddle = 4, kSide = 8, kExtra = 16 };

  void set_host(Ps2Host* host) { host_ = host; }

  // The host's side. Counts to the right, down (the screen's way) and of the wheel away from the user; what a packet
  // cannot hold goes into the next ones.
  void move(int dx, int dy, int dz);
  void buttons(u8 mask);  // Button bits that are down now
  u8 pressed() const { return buttons_; }
  bool reporting() const { return reporting_ && mode_ == Mode::Stream; }

  void receive(u8 byte) override;
  bool has_byte() const override { return !responses_.empty() || !packet_.empty(); }
  u8 take_byte() override;

  std::string_view name() const override { return "ps2.mouse"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32 id, GuestTime late) override;

 private:
  enum Event : u32 { kSample, kSelfTestDone };
  enum class Mode : u8 { Stream, Remote };
  struct Packet {
    std::array<u8, 4> bytes{};
    unsigned count = 0;
  };

  void command(u8 byte);
  void parameter(u8 byte);
  void set_defaults();
  void start_self_test();
  void abandon_self_test();
  void set_sample_rate(u8 rate);
  void send_status();
  void respond(u8 byte);
  void acknowledge() { respond(kPs2Acknowledge); }
  bool changed() const;
  void try_to_report();
  Packet make_packet(bool scaled);
  u8 button_bits() const { return buttons_ & 7; }

  Ps2Host* host_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId sample_timer_ = 0;
  TimerId self_test_timer_ = 0;

  ByteQueue<4> packet_;           // the report being sent
  ByteQueue<16> responses_;       // go before it
  i32 dx_ = 0, dy_ = 0, dz_ = 0;  // moved since the last report: right, up (PS/2's way), wheel towards the user
  u8 buttons_ = 0;
  u8 reported_buttons_ = 0;
  u8 id_ = 0;                  // 0 plain, 3 wheel, 4 five buttons
  std::array<u8, 3> rates_{};  // the last three sample rates: the knock
  u8 sample_rate_ = 100;
  u8 resolution_ = 2;  // 1 << resolution counts a mm; host counts are taken as they come
  Mode mode_ = Mode::Stream;
  bool wrap_ = false;
  bool reporting_ = false;
  bool scaling_ = false;  // 2:1
  bool self_testing_ = false;
  bool error_before_ = false;  // the last command was bad: the next bad one is answered FCh
  u8 awaiting_ = 0;
  u8 last_sent_ = 0;
};

}  // namespace relic86
