// The semantics texts compile for a builder that runs nothing: it writes down the operations, as the translator's
// IrBuilder will. Guest data never decides what a text does, so one recording is the meaning of the form.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cpu/semantics/arithmetic.h"
#include "cpu/semantics/branches.h"
#include "cpu/semantics/moves.h"
#include "cpu/semantics/shifts.h"

namespace relic86 {
namespace {

template <class W>
struct Node {
  using Width = W;
  unsigned id;
};
struct TruthNode {
  unsigned id;
};
template <class V>
struct Pair {
  V low;
  V high;
};

template <class W>
std::string bits() {
  return std::to_string(sizeof(W) * 8);
}

class RecordingBuilder {
 public:
  using Pointer = u32;
  std::vector<std::string> log;

  static constexpr bool faulted() { return false; }

  template <class W>
  Node<W> load(RmRegister<W>) {
    return node<W>("rm" + bits<W>());
  }
  template <class W>
  Node<W> load(RegRegister<W>) {
    return node<W>("reg" + bits<W>());
  }
  template <class W, u8 kIndex>
  Node<W> load(FixedRegister<W, kIndex>) {
    return node<W>("r" + std::to_string(kIndex) + "." + bits<W>());
  }
  template <class W>
  Node<W> load(Immediate<W>) {
    return node<W>("imm" + bits<W>());
  }
  template <class W>
  Node<W> load(ConstantOne<W>) {
    return node<W>("1");
  }
  template <class W>
  Node<W> load(Memory<W>) {
    return node<W>("read" + bits<W>());
  }
  template <class D>
  auto load_for_write(D d) {
    return load(d);
  }
  template <class W>
  Node<W> load_for_write(Memory<W>) {
    return node<W>("read_for_write" + bits<W>());
  }
  template <class D>
  D place(D d) {
    return d;
  }
  template <class D, class W>
  void store(D, Node<W> value) {
    log.push_back(name(D{}) + " = " + text(value));
  }
  template <class D, class W>
  void store_if(TruthNode truth, D d, Node<W> value, Node<W> unchanged) {
    store(d, select(truth, value, unchanged));
  }
  template <class D, class W>
  void store_unless(TruthNode truth, D d, Node<W> value, Node<W> unchanged) {
    store(d, select(truth, unchanged, value));
  }
  template <class W>
  Node<W> constant(W raw) {
    return node<W>("const " + std::to_string(raw));
  }
  template <class To, class W>
  Node<To> sign_extend(Node<W> value) {
    return node<To>("sign_extend" + bits<To>() + " " + text(value));
  }

#define RELIC86_RECORD_TWO(operation)                         \
  template <class W>                                          \
  Node<W> operation(Node<W> a, Node<W> b) {                   \
    return node<W>(#operation " " + text(a) + " " + text(b)); \
  }
  RELIC86_RECORD_TWO(add)
  RELIC86_RECORD_TWO(adc)
  RELIC86_RECORD_TWO(sub)
  RELIC86_RECORD_TWO(plain_add)
#undef RELIC86_RECORD_TWO
  template <class W>
  Node<W> inc(Node<W> a) {
    return node<W>("inc " + text(a));
  }
  template <class W>
  Node<W> shl(Node<W> a, Node<u8> count) {
    return node<W>("shl " + text(a) + " " + text(count));
  }
  template <class W>
  Pair<Node<W>> imul(Node<W> a, Node<W> b) {
    const Node<W> low = node<W>("imul " + text(a) + " " + text(b));
    return {low, node<W>("high " + text(low))};
  }

  template <Condition kCode>
  TruthNode condition() {
    log.push_back("t" + std::to_string(next_) + " = condition " + std::to_string(static_cast<int>(kCode)));
    return {next_++};
  }
  template <class W>
  Node<W> select(TruthNode truth, Node<W> yes, Node<W> no) {
    return node<W>("select t" + std::to_string(truth.id) + " " + text(yes) + " " + text(no));
  }

  template <class W>
  void push(Node<W> value) {
    log.push_back("push" + bits<W>() + " " + text(value));
  }
  template <class W>
  Node<W> pop() {
    return node<W>("pop" + bits<W>());
  }
  template <class W>
  Node<W> next_instruction() {
    return node<W>("next" + bits<W>());
  }
  template <class W>
  Node<W> target(Target<W>) {
    return node<W>("target" + bits<W>());
  }
  template <class W>
  void check_target(Node<W> to) {
    log.push_back("check_target " + text(to));
  }
  template <class W>
  void check_call_target(Node<W> to) {
    check_target(to);
  }
  template <class W>
  void check_indirect_call_target(Node<W> to) {
    check_target(to);
  }
  template <class W>
  void jump_to(Node<W> to) {
    log.push_back("jump " + text(to));
  }
  template <class W>
  void jump_if(TruthNode truth, Target<W>) {
    log.push_back("jump_if t" + std::to_string(truth.id));
  }

  std::string joined() const {
    std::string all;
    for (const std::string& line : log) all += line + "; ";
    return all;
  }

 private:
  template <class W>
  static std::string text(Node<W> value) {
    return "v" + std::to_string(value.id);
  }
  template <class W>
  static std::string name(RmRegister<W>) {
    return "rm" + bits<W>();
  }
  template <class W>
  static std::string name(RegRegister<W>) {
    return "reg" + bits<W>();
  }
  template <class W>
  static std::string name(Memory<W>) {
    return "mem" + bits<W>();
  }
  template <class W, u8 kIndex>
  static std::string name(FixedRegister<W, kIndex>) {
    return "r" + std::to_string(kIndex) + "." + bits<W>();
  }
  template <class W>
  Node<W> node(const std::string& operation) {
    log.push_back("v" + std::to_string(next_) + " = " + operation);
    return {next_++};
  }

  unsigned next_ = 0;
};

template <class Semantics, class... D>
std::string record(D... operands) {
  RecordingBuilder builder;
  Semantics::run(builder, operands...);
  return builder.joined();
}

TEST(RecordingBuilder, AddToMemoryIsOneOperation) {
  EXPECT_EQ(record<semantics::Add>(Memory<u32>{}, RegRegister<u32>{}),
            "v0 = reg32; v1 = read_for_write32; v2 = add v1 v0; mem32 = v2; ");
}
TEST(RecordingBuilder, Adc) {
  EXPECT_EQ(record<semantics::Adc>(RegRegister<u8>{}, Immediate<u8>{}),
            "v0 = imm8; v1 = reg8; v2 = adc v1 v0; reg8 = v2; ");
}
TEST(RecordingBuilder, Inc) {
  EXPECT_EQ(record<semantics::Inc>(RegRegister<u16>{}), "v0 = reg16; v1 = inc v0; reg16 = v1; ");
}
TEST(RecordingBuilder, ShiftByOneAndByCl) {
  EXPECT_EQ(record<semantics::Shl>(RmRegister<u32>{}, ConstantOne<u8>{}),
            "v0 = rm32; v1 = 1; v2 = shl v0 v1; rm32 = v2; ");
  EXPECT_EQ(record<semantics::Shl>(Memory<u8>{}, FixedRegister<u8, kEcx>{}),
            "v0 = read_for_write8; v1 = r1.8; v2 = shl v0 v1; mem8 = v2; ");
}
TEST(RecordingBuilder, ImulForms) {
  EXPECT_EQ(record<semantics::Imul>(Memory<u16>{}),
            "v0 = read16; v1 = r0.16; v2 = imul v1 v0; v3 = high v2; r0.16 = v2; r2.16 = v3; ");
  EXPECT_EQ(record<semantics::ImulTruncated>(RegRegister<u32>{}, RmRegister<u32>{}, Immediate<u32>{}),
            "v0 = rm32; v1 = imm32; v2 = imul v0 v1; v3 = high v2; reg32 = v2; ");
}
TEST(RecordingBuilder, PushAndPop) {
  EXPECT_EQ(record<semantics::Push>(RegRegister<u32>{}), "v0 = reg32; push32 v0; ");
  EXPECT_EQ(record<semantics::Pop>(RegRegister<u16>{}), "v0 = pop16; reg16 = v0; ");
}
TEST(RecordingBuilder, Branches) {
  EXPECT_EQ(record<semantics::Jcc<Condition::Equal>>(Target<u32>{}), "t0 = condition 4; jump_if t0; ");
  EXPECT_EQ(record<semantics::Call>(Target<u32>{}),
            "v0 = target32; check_target v0; v1 = next32; push32 v1; jump v0; ");
}
TEST(RecordingBuilder, Movsx) {
  EXPECT_EQ(record<semantics::Movsx>(RegRegister<u32>{}, Memory<u8>{}),
            "v0 = read8; v1 = sign_extend32 v0; reg32 = v1; ");
}
TEST(RecordingBuilder, XaddWritesTheSourceFirst) {
  EXPECT_EQ(record<semantics::Xadd>(RmRegister<u32>{}, RegRegister<u32>{}),
            "v0 = rm32; v1 = reg32; v2 = add v0 v1; reg32 = v0; rm32 = v2; ");
}
TEST(RecordingBuilder, CmpxchgSelectsWithoutBranching) {
  EXPECT_EQ(record<semantics::Cmpxchg>(Memory<u32>{}, RegRegister<u32>{}),
            "v0 = read_for_write32; v1 = r0.32; v2 = reg32; v3 = sub v1 v0; t4 = condition 4; v5 = select t4 v1 v0; "
            "r0.32 = v5; v6 = select t4 v2 v0; mem32 = v6; ");
}

}  // namespace
}  // namespace relic86
