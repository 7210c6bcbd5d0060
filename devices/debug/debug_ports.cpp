// Debug console port
//
//   port  width  R/W  bits
//   base  1      RW   write: a byte for the host; read: E9h, by which guests find the port (SeaBIOS is silent without)
#include "devices/debug/debug_ports.h"

#include <fmt/format.h>

namespace relic86 {

namespace {
constexpr u8 kPresent = 0xE9;
}  // namespace

DebugConsole::DebugConsole(u16 port, CharSink* sink)
    : port_(port), sink_(sink), name_(fmt::format("isa-debugcon.{:x}h", port)) {}

Result<> DebugConsole::attach(Attachment& board) { return board.ports(*this, 0, port_, 1); }

u64 DebugConsole::read(RegionId, u64, unsigned) { return kPresent; }

void DebugConsole::write(RegionId, u64, unsigned, u64 value) {
  if (sink_ != nullptr) sink_->put(static_cast<u8>(value));
}

}  // namespace relic86
