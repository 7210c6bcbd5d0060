// IBM Enhanced (101/102-key) PS/2 keyboard with scan code sets 1, 2 and 3, and the newer keys.
#pragma once

#include <array>
#include <bitset>

#include "devices/attachment.h"
#include "devices/byte_queue.h"
#include "devices/input/key_codes.h"
#include "devices/input/ps2_port.h"

namespace relic86 {

class Ps2Keyboard final : public Device, public Ps2Device {
 public:
  void set_host(Ps2Host* host) { host_ = host; }

  // The host's side: a key went down or up. Repeated downs of a held key are ignored: the keyboard repeats by itself.
  void key(KeyCode code, bool pressed);
  void release_all();  // the window lost the focus
  bool pressed(KeyCode code) const { return pressed_[static_cast<std::size_t>(code)]; }
  // True when the guest has read all that was typed so far and takes more: what is typed or pasted waits for it.
  bool ready_for_key() const;
  // The lights as the guest set them: bit 0 scroll lock, 1 num lock, 2 caps lock.
  u8 lights() const { return lights_; }

  void receive(u8 byte) override;
  bool has_byte() const override;
  u8 take_byte() override;

  std::string_view name() const override { return "ps2.keyboard"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32 id, GuestTime late) override;

 private:
  enum Event : u32 { kRepeat, kSelfTestDone };
  enum Set3Type : u8 { kTypematic = 1, kBreak = 2 };

  // The bytes of one key stroke.
  struct Sequence {
    std::array<u8, 16> bytes{};
    unsigned count = 0;
    void add(u8 byte) { bytes[count++] = byte; }
  };

  void command(u8 byte);
  void parameter(u8 byte);
  void select_scan_set(u8 set);
  void change_all_set3(u8 type);
  void set_defaults();
  void start_self_test();
  void abandon_self_test();
  void acknowledge() { respond(kPs2Acknowledge); }
  void respond(u8 byte);

  void send_stroke(KeyCode code, bool press);
  void add_code(Sequence& out, u16 set1, u16 set2, bool press) const;
  void build_set12(Sequence& out, KeyCode code, bool press) const;
  void build_set3(Sequence& out, const KeyInfo& key, bool press) const;
  void add_fake_shifts(Sequence& out, bool before) const;
  bool repeats(KeyCode code) const;
  bool any_shift() const { return pressed(KeyCode::ShiftLeft) || pressed(KeyCode::ShiftRight); }
  GuestTime repeat_delay() const;
  GuestTime repeat_period() const;

  Ps2Host* host_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId repeat_timer_ = 0;
  TimerId self_test_timer_ = 0;

  static constexpr std::size_t kKeyStates = 256;
  std::bitset<kKeyStates> pressed_;  // by KeyCode
  ByteQueue<17> strokes_;            // 16, and the overrun code
  ByteQueue<16> responses_;          // go before strokes
  bool overrun_ = false;             // the overrun code is queued
  bool scanning_ = true;
  u8 scan_set_ = 2;
  u8 lights_ = 0;
  u8 typematic_ = 0x2B;  // 10.9 characters a second after 500 ms
  u8 awaiting_ = 0;      // the command whose parameter comes next; 0: none
  u8 last_sent_ = 0;     // for FEh
  bool self_testing_ = false;
  bool repeating_ = false;
  u8 repeat_key_ = 0;                 // KeyCode
  std::array<u8, 256> set3_types_{};  // Set3Type bits by set 3 code
};

}  // namespace relic86
