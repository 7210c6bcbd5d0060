// relic86_random_ir [--count N] [--seed S] [--inject S] [--code 64]: random blocks of the intermediate representation,
// compiled and run, against an interpreter of their nodes: registers, flags, EIP and all of memory. They are of 16- and
// 32-bit code, or of 64-bit code. Blocks are numbered from the seed on; --inject flips a bit of EAX after the block of
// that number. Prints how many ran, how many the back end refused, how many were loops or were left before their end,
// and how many instructions were carried out; exit code 1 at the first difference, 2 when it could not run.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "base/print.h"
#include "jit/ir/verifier.h"
#include "jit/listing.h"
#include "jit/region/path.h"
#include "tests/jit/random/block_runner.h"
#include "tests/jit/random/ir_interpreter.h"

namespace relic86::jit {

namespace {

struct Wishes {
  u64 count = 100'000, seed = 1;
  std::optional<u64> inject;
  bool code64 = false;
};

struct Tally {
  u64 blocks = 0, refused = 0, loops = 0, left = 0, instructions = 0;
};

constexpr u32 kStart = 0x1000;

void prepare(SmallMachine& machine, u64 seed, bool code32) {
  Mode any;
  IrGenerator random(seed ^ 0xA5A5, any);
  CpuState& s = machine.state();
  machine.set_mode(code32);
  const auto place = [&] { return (2 + random.below(6)) * kPageSize - random.below(2) * random.below(64); };
  for (unsigned i = 0; i < 8; ++i) s.gpr[i] = random.one_in(2) ? random.number() : random.below(64);
  for (const u8 reg : {kEbx, kEbp, kEsi, kEdi}) s.gpr[reg] = random.one_in(24) ? random.number() : place();
  s.gpr[kEsp] = 0x9000 + random.below(0x100) * (random.one_in(4) ? 1 : 4);
  s.flags.set_eflags(random.number() & kArithmeticFlags);
  s.rip = kStart + random.below(0x100);
}

// Random content that both machines share.
void fill(SmallMachine& left, SmallMachine& right, u64 seed) {
  std::mt19937_64 random(seed);
  for (u64 at = 0; at < SmallMachine::kRam; at += 8) {
    const u64 value = random();
    std::memcpy(left.ram() + at, &value, 8);
    std::memcpy(right.ram() + at, &value, 8);
  }
}

std::string state_text(const CpuState& s) {
  std::string text = fmt::format("eip {:08x} flags {:03x}", s.eip(), s.flags.eflags());
  for (unsigned i = 0; i < 8; ++i) text += fmt::format(" {:08x}", s.gpr32(i));
  return text + '\n';
}

// A place in the RAM, at either of its two addresses.
u64 long_place(IrGenerator& random) {
  const u64 place = (2 + random.below(6)) * kPageSize - random.below(2) * random.below(64);
  return random.one_in(2) ? place : place + SmallMachine::kHigh;
}

void prepare_long(SmallMachine& machine, u64 seed) {
  Mode any;
  IrGenerator random(seed ^ 0xA5A5, any);
  CpuState& s = machine.state();
  for (unsigned i = 0; i < kNoRegister; ++i) s.gpr[i] = random.one_in(2) ? random.wide_number() : random.below(64);
  for (const u8 reg : {u8{kEbx}, u8{kEbp}, u8{kEsi}, u8{kEdi}, u8{8}, u8{9}, u8{10}, u8{11}})
    s.gpr[reg] = random.one_in(24) ? random.wide_number() : long_place(random);
  for (const u8 reg : {u8{12}, u8{13}, u8{14}}) s.gpr[reg] = random.below(0x200);
  s.gpr[kEsp] =
      (random.one_in(2) ? SmallMachine::kHigh : 0) + 0x9000 + random.below(0x100) * (random.one_in(4) ? 1 : 8);
  for (const SegmentName name : {kFs, kGs}) s.segment[name].base = random.one_in(3) ? random.below(0x2000) : 0;
  s.flags.set_eflags(random.number() & kArithmeticFlags);
  s.rip = (random.one_in(2) ? SmallMachine::kHigh : 0) + kStart + random.below(0x100);
}

std::string long_state_text(const CpuState& s) {
  std::string text = fmt::format("rip {:016x} flags {:03x}", s.rip, s.flags.eflags());
  for (unsigned i = 0; i < kNoRegister; ++i) text += fmt::format(" {:x}", s.gpr[i]);
  return text + '\n';
}

std::string block_text(const BlockIr& block) {
  std::string text;
  for (const InsnIr& insn : block.insns) text += fmt::format("+{}\n{}", insn.offset, ir_text(insn));
  return text;
}

class Comparison {
 public:
  explicit Comparison(const Wishes& wishes) : wishes_(wishes), runner_(model_of(wishes)), model_(model_of(wishes)) {
    fill(runner_.machine(), model_, wishes.seed);
    if (!wishes.code64) return;
    runner_.machine().set_long_mode();
    model_.set_long_mode();
  }

  // False: a difference, which it has printed.
  bool run() {
    for (u64 seed = wishes_.seed; seed < wishes_.seed + wishes_.count; ++seed) {
      if (!one(seed)) return false;
    }
    return true;
  }
  const Tally& tally() const { return tally_; }

 private:
  static const char* model_of(const Wishes& wishes) { return wishes.code64 ? "qemu64" : "pentium3"; }

  void prepare_both(u64 seed) {
    const bool code32 = seed % 4 != 0;
    for (SmallMachine* const machine : {&runner_.machine(), &model_}) {
      if (wishes_.code64) {
        prepare_long(*machine, seed);
      } else {
        prepare(*machine, seed, code32);
      }
    }
  }

  std::string text_of(const CpuState& state) const {
    return wishes_.code64 ? long_state_text(state) : state_text(state);
  }

  bool one(u64 seed) {
    prepare_both(seed);
    const Mode mode = Mode::of_key(Mode::key_of(model_.state()));
    IrGenerator generator(seed, mode);
    GeneratedBlock block = generator.block(1 + generator.below(12));
    if (generator.one_in(2)) bend(block, generator, mode);
    close_loop(block.ir);
    if (const auto broken = broken_rule(block.ir)) {
      print_text(stdout,
                 fmt::format("seed {}: the generator broke a rule: {}\n{}", seed, *broken, block_text(block.ir)));
      return false;
    }
    const std::string before = text_of(model_.state());
    x64::EmitterOptions options;
    options.share = !generator.one_in(4);
    options.lazy_flags = !generator.one_in(4);
    options.copies = !generator.one_in(4);
    options.returns = false;     // frames need a caller
    options.cross_page = false;  // and other pages code
    const u64 budget = block.ir.insns.size() * (1 + generator.below(4)) + generator.below(3);
    const BlockRunner::Outcome outcome = runner_.run(block, mode, options, budget);
    if (outcome.kind == BlockRunner::Outcome::Refused) {
      ++tally_.refused;
      return true;
    }
    ++tally_.blocks;
    tally_.instructions += outcome.executed;
    tally_.loops += block.ir.loop ? 1 : 0;
    tally_.left += outcome.kind == BlockRunner::Outcome::Left ? 1 : 0;
    if (seed == wishes_.inject) runner_.machine().state().gpr[kEax] ^= 1;
    follow(block.ir, mode, outcome);
    return compare(seed, block.ir, before);
  }

  // A region: after some of its conditional branches the path goes on where they lead, and what follows stands there.
  static void bend(GeneratedBlock& block, IrGenerator& generator, const Mode& mode) {
    constexpr i32 kNear = 0x200;
    std::vector<InsnIr>& insns = block.ir.insns;
    block.ir.region = true;
    PathFollower follower(block.ir, mode.code_bytes(), Reach::Page);
    for (std::size_t i = 0; i + 1 < insns.size(); ++i) {
      i32 target = -1;
      const bool branches = !insns[i].nodes.empty() && direct_target(insns[i], insns[i].nodes.back(), target);
      if (!branches || target < 0 || target > kNear || generator.one_in(3)) continue;
      if (!follower.follow(insns[i], static_cast<u32>(target))) continue;
      const u32 by = static_cast<u32>(target) - insns[i + 1].offset;
      for (std::size_t k = i + 1; k < insns.size(); ++k) move(insns[k], by);
    }
  }

  static void move(InsnIr& insn, u32 by) {
    insn.offset += by;
    insn.end += by;
    for (Node& n : insn.nodes) {
      if (n.op == Op::Address && n.base == kRipRegister) n.immediate += static_cast<u64>(i64{static_cast<i32>(by)});
      if (n.op == Op::Follow || n.op == Op::NextInstruction) n.immediate = static_cast<u32>(n.immediate + by);
    }
  }

  static void close_loop(BlockIr& ir) {
    i32 target = -1;
    const InsnIr& last = ir.insns.back();
    if (last.nodes.empty() || !direct_target(last, last.nodes.back(), target) || target != 0) return;
    if (last.nodes.back().op == Op::Call) return;
    for (const InsnIr& insn : ir.insns) {
      for (const Node& n : insn.nodes) {
        if (info(n.op).has(kOpNoLoop)) return;
      }
    }
    ir.loop = true;
  }

  // The same number of instructions on the model.
  void follow(const BlockIr& ir, const Mode& mode, const BlockRunner::Outcome& outcome) {
    CpuState& s = model_.state();
    IrInterpreter interpreter(model_.cpu(), mode);
    const u64 begin = s.rip, wrap = mode.code64 ? ~u64{0} : mode.code32 ? 0xFFFFFFFF : 0xFFFF;
    interpreter.begins_at(begin);
    std::size_t at = 0;
    for (u64 i = 0; i < outcome.executed; ++i) {
      if (at == ir.insns.size()) return;  // gone already: the difference will show
      const auto flow = interpreter.step(ir, at);
      if (flow == IrInterpreter::Flow::Stopped) break;
      s.rip = begin + place_after(ir.insns[at]);
      ++at;
      if (flow == IrInterpreter::Flow::Next) continue;
      const auto& target = interpreter.target();
      s.rip = (target.within ? begin + target.value : target.value) & wrap;
      at = target.within && target.value == 0 ? 0 : ir.insns.size();
    }
  }

  static u64 place_after(const InsnIr& insn) {
    const bool follows = !insn.nodes.empty() && insn.nodes.back().op == Op::Follow;
    return static_cast<u64>(i64{static_cast<i32>(follows ? insn.nodes.back().immediate : insn.end)});
  }

  bool compare(u64 seed, const BlockIr& ir, const std::string& before) {
    const std::string left = text_of(model_.state()), right = text_of(runner_.machine().state());
    const bool memory = std::memcmp(model_.ram(), runner_.machine().ram(), SmallMachine::kRam) == 0;
    if (left == right && memory) return true;
    std::string text = fmt::format("seed {}\n{}before {}model  {}host   {}", seed, block_text(ir), before, left, right);
    for (u64 at = 0; at < SmallMachine::kRam && !memory; ++at) {
      if (model_.ram()[at] == runner_.machine().ram()[at]) continue;
      text +=
          fmt::format("memory {:x}: model {:02x}, host {:02x}\n", at, model_.ram()[at], runner_.machine().ram()[at]);
      break;
    }
    print_text(stdout, text);
    return false;
  }

  Wishes wishes_;
  BlockRunner runner_;
  SmallMachine model_;
  Tally tally_;
};

bool take(Wishes& wishes, const std::string& name, const char* text) {
  u64 number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stopped, failure] = std::from_chars(text, end, number);
  if (failure != std::errc() || stopped != end) return false;
  if (name == "--count") {
    wishes.count = number;
  } else if (name == "--seed") {
    wishes.seed = number;
  } else if (name == "--inject") {
    wishes.inject = number;
  } else if (name == "--code" && number == 64) {
    wishes.code64 = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

}  // namespace relic86::jit

int main(int argc, char** argv) {
  using namespace relic86;
  jit::Wishes wishes;
  bool good = argc % 2 == 1;
  for (int i = 1; good && i + 1 < argc; i += 2) good = jit::take(wishes, argv[i], argv[i + 1]);
  if (!good) {
    print_text(stderr, "usage: relic86_random_ir [--count N] [--seed S] [--inject S] [--code 64]\n");
    return 2;
  }
  jit::Comparison comparison(wishes);
  const bool same = comparison.run();
  const jit::Tally& tally = comparison.tally();
  print_text(stdout,
             fmt::format("{} blocks ran, {} refused, {} loops, {} left early, {} instructions, {} differences\n",
                         tally.blocks, tally.refused, tally.loops, tally.left, tally.instructions, same ? 0 : 1));
  return same ? 0 : 1;
}
