// What a client of the VNC server may send once it is in, and the first byte of a web socket's frame. Input: records,
// of which the first byte says the kind.
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "display/vnc/shared_flag.h"
#include "frontend/vnc_input.h"
#include "machine/guest_inputs.h"
#include "tests/fuzz/quiet_machine.h"

namespace {

using namespace relic86;

constexpr GuestTime kLongTime = 10'000'000'000;  // longer than a key is held or waits for the guest

class Records {
 public:
  explicit Records(std::span<const u8> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  u32 number(unsigned size) {
    u32 value = 0;
    for (; size > 0 && !bytes_.empty(); size--) {
      value = value << 8 | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return value;
  }
  std::span<const u8> bytes(std::size_t count) {
    const auto taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const u8> bytes_;
};

VncInputEvent next_event(Records& records) {
  switch (records.number(1) % 8) {
    case 0:
    case 1: {
      const u32 symbol = records.number(4);
      return VncKey{.symbol = symbol, .down = records.number(1) % 2 != 0};
    }
    case 2: {
      const u16 code = static_cast<u16>(records.number(2));
      return VncKey{.set1 = code, .down = records.number(1) % 2 != 0};
    }
    case 3: {
      const auto text = records.bytes(records.number(1));
      return std::string(text.begin(), text.end());
    }
    case 4: return records.number(1) % 2 != 0 ? VncPower::Reset : VncPower::PowerButton;
    default: {
      VncPointer pointer;
      pointer.buttons = static_cast<u8>(records.number(1));
      pointer.x = static_cast<u16>(records.number(2));
      pointer.y = static_cast<u16>(records.number(2));
      pointer.width = static_cast<u16>(records.number(2));
      pointer.height = static_cast<u16>(records.number(2));
      pointer.relative = records.number(1) % 2 != 0;
      return pointer;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::QuietMachine machine;
  if ((*machine).ended()) machine.make();
  (void)shared_flag({data, size}, true);
  {
    VncInput input(*machine);
    Records records({data, size});
    while (!records.empty()) input.apply(next_event(records));
    input.release();
  }
  // A guest that does not read its keyboard gets the keys all the same when it has been given time to. Then none is down.
  GuestTime now = 0;
  while ((*machine).keys().waiting() != 0) (*machine).keys().advance(now += kLongTime);
  for (const KeyInfo& key : all_keys()) {
    if ((*machine).board().keyboard().pressed(key.code)) std::abort();
  }
  // The next input begins at the machine's own time.
  (*machine).keys().forget();
  if ((*machine).board().pointer().pressed() != 0) std::abort();
  (*machine).run_to((*machine).cpu().instruction_count() + 100, 1000);
  return 0;
}
