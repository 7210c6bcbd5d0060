// A keyboard of 104 keys and more, with three lights.
#pragma once

#include <bitset>

#include "devices/hid_keyboard.h"
#include "devices/usb/usb_hid.h"

namespace relic86 {

class UsbKeyboard final : public UsbHid, public HidKeyboard {
 public:
  UsbKeyboard();

  bool listened_to() const override { return active(); }
  void key(u8 usage, bool down) override;
  void release_all() override;
  bool pressed(u8 usage) const override { return held_[usage]; }
  bool ready_for_key() const override { return !has_news(); }
  u8 lights() const override;

  std::string_view product() const override;

 protected:
  bool has_news() const override { return !waiting_.empty() || late_; }
  void take_news() override;
  std::size_t report(std::span<u8, kMostReport> bytes) const override;
  void clear_reports() override;
  void state_reports(StateArchive& archive) override;
  bool take_output(std::span<const u8> data) override;
  std::optional<u8> output() const override { return lights_; }

 private:
  static constexpr std::size_t kUsages = 256;
  static constexpr std::size_t kMostWaiting = 32;
  using Keys = std::bitset<kUsages>;

  static void state_keys(StateArchive& archive, std::string_view name, Keys& keys);

  Keys held_;                // as the host has them
  Keys reported_;            // as the driver was told
  std::vector<u8> waiting_;  // usages of keys that changed, the oldest first
  bool late_ = false;        // more changed than waiting_ holds: the next report tells what is held by then
  u8 lights_ = 0;            // of the LED page: 2 scroll lock, 1 caps lock, 0 num lock
};

}  // namespace relic86
