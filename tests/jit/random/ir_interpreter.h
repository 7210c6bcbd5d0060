// Carries out blocks of the intermediate representation node by node: slow, and exact by the words of ops.def. What
// the back end makes of the same block has to do the same.
#pragma once

#include <functional>

#include "cpu/cpu.h"
#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

class IrInterpreter {
 public:
  IrInterpreter(Cpu& cpu, const Mode& mode) : cpu_(cpu), mode_(mode) {}

  // What one instruction leads to. Stopped: it cannot be carried out here (a divide error, an access that faults), and
  // nothing has changed.
  enum class Flow : u8 { Next, Jumped, Stopped };

  // Instruction `at` of the block. After Jumped, target() says where to: an offset from the block's first byte, or EIP.
  Flow step(const BlockIr& block, std::size_t at);
  struct Target {
    bool within = false;  // an offset from the block's first byte; else EIP
    u64 value = 0;
  };
  const Target& target() const { return target_; }
  // Where the block begins in CS: what NextInstruction counts from.
  void begins_at(u64 eip) { begin_ = eip; }
  // Called for every Load, LoadForWrite, Store, Push, Pop and Peek, with the offset in its segment.
  void on_access(std::function<void(const Node&, u64)> observer) { observer_ = std::move(observer); }

 private:
  struct Result {
    u64 low = 0, high = 0;  // a value, a truth, an offset; a pair's halves
  };
  Flow node(const InsnIr& insn, u16 id);
  Flow memory(const InsnIr& insn, u16 id);
  Flow stack(const Node& n, Result& result);
  Flow divide(const Node& n, Result& result);
  bool arithmetic(const Node& n, Result& result);
  template <class W>
  bool arithmetic_of(const Node& n, Result& result);
  bool condition(u32 code) const;
  Flow jump(const Node& n);
  u64 value(u16 id) const { return results_[id].low; }
  u64 offset_of(const Node& address) const;
  u64 string_offset(const Node& n) const;
  u64 on_stack(u64 pointer) const;
  void observe(const Node& n, u64 offset) const {
    if (observer_) observer_(n, offset);
  }
  bool read(u8 segment, u64 offset, u8 size, u64& value);
  bool write(u8 segment, u64 offset, u8 size, u64 value);
  u64 stack_pointer() const { return cpu_.state().gpr[kEsp]; }
  void move_stack_pointer(u64 to);
  // Of Node::reg.
  u64 get(u8 size, u8 reg) const;
  void set(u8 size, u8 reg, u64 value);

  Cpu& cpu_;
  const Mode& mode_;
  std::vector<Result> results_;
  const InsnIr* insn_ = nullptr;
  Target target_;
  u64 begin_ = 0;
  std::function<void(const Node&, u64)> observer_;
};

}  // namespace relic86::jit
