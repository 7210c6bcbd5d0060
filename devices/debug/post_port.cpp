// POST code port (IBM PC/AT Technical Reference, I/O address map: 80h is the DMA page registers' spare byte)
//
//   port  width  R/W  bits
//   80h   1      RW   last code written
#include "devices/debug/post_port.h"

namespace relic86 {

Result<> PostPort::attach(Attachment& board) { return board.ports(*this, 0, 0x80, 1); }

void PostPort::reset(ResetKind) { code_ = 0; }

void PostPort::state(StateArchive& archive) { archive.field("code", code_); }

u64 PostPort::read(RegionId, u64, unsigned) { return code_; }

void PostPort::write(RegionId, u64, unsigned, u64 value) { code_ = static_cast<u8>(value); }

}  // namespace relic86
