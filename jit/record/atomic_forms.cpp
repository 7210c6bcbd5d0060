#include "jit/record/atomic_forms.h"

#include <optional>
#include <utility>
#include <vector>

namespace relic86::jit {

namespace {

// What becomes of the word in memory.
struct Change {
  Op op = Op::Atomic;
  AtomicKind kind = AtomicKind::Exchange;
  u16 operand = kNoValue;  // kNoValue: `constant`
  u64 constant = 0;
  bool needs_result = true;  // its node stays, for the flags that it defines
};

u64 all_ones(u8 size) { return size == 8 ? ~u64{0} : (u64{1} << (8 * size)) - 1; }

// Whether the node depends on nothing else, so that it may stand before the access.
bool stands_alone(const Node& node) {
  return node.op == Op::GetRegister || node.op == Op::Constant || node.op == Op::PatchedImmediate;
}

// stored: what the text puts where `old` was.
std::optional<Change> change_of(const std::vector<Node>& nodes, u16 stored, u16 old) {
  const Node& n = nodes[stored];
  const auto with = [&](AtomicKind kind) -> std::optional<Change> {
    if (n.a != old || n.b == old) return std::nullopt;
    return Change{.kind = kind, .operand = n.b};
  };
  switch (n.op) {
    case Op::Add: return with(AtomicKind::Add);
    case Op::Sub: return with(AtomicKind::Sub);
    case Op::And: return with(AtomicKind::And);
    case Op::Or: return with(AtomicKind::Or);
    case Op::Xor: return with(AtomicKind::Xor);
    case Op::Bts: return with(AtomicKind::SetBit);
    case Op::Btr: return with(AtomicKind::ClearBit);
    case Op::Btc: return with(AtomicKind::ComplementBit);
    case Op::Inc: return Change{.kind = AtomicKind::Add, .constant = 1};
    case Op::Dec: return Change{.kind = AtomicKind::Sub, .constant = 1};
    case Op::Not: return Change{.kind = AtomicKind::Xor, .constant = all_ones(n.size), .needs_result = false};
    case Op::Select:  // CMPXCHG
      if (n.c != old) return std::nullopt;
      return Change{.op = Op::AtomicCompare, .operand = n.b, .needs_result = false};
    case Op::GetRegister: return Change{.operand = stored};
    default: return std::nullopt;
  }
}

// The instruction's nodes in a new order.
class Rewriting {
 public:
  explicit Rewriting(const std::vector<Node>& old) : old_(old), places_(old.size(), kNoValue) {}

  u16 add(Node node) {
    made_.push_back(node);
    return static_cast<u16>(made_.size() - 1);
  }
  void take(u16 id) {
    if (places_[id] != kNoValue) return;
    Node node = old_[id];
    for (u16* operand : {&node.a, &node.b, &node.c}) {
      if (*operand != kNoValue) *operand = places_[*operand];
    }
    places_[id] = add(node);
  }
  void put(u16 id, const Node& node) { places_[id] = add(node); }
  u16 place(u16 id) const { return places_[id]; }
  std::vector<Node> made() { return std::move(made_); }

 private:
  const std::vector<Node>& old_;
  std::vector<Node> made_;
  std::vector<u16> places_;
};

}  // namespace

bool make_atomic(InsnIr& ir) {
  const std::vector<Node>& nodes = ir.nodes;
  if (!nodes.empty() && nodes.back().op == Op::CompareExchange8) {
    ir.nodes.back().immediate = 1;
    return true;
  }
  u16 load = kNoValue, store = kNoValue;
  for (u16 id = 0; id < nodes.size(); ++id) {
    if (nodes[id].op == Op::LoadForWrite) load = id;
    if (nodes[id].op == Op::Store) store = id;
  }
  if (load == kNoValue || store == kNoValue || nodes[store].a != nodes[load].a) return false;
  const u16 stored = nodes[store].b;
  const auto change = change_of(nodes, stored, load);
  if (!change || (change->operand != kNoValue && change->operand > load && !stands_alone(nodes[change->operand])))
    return false;
  Rewriting rewriting(nodes);
  for (u16 id = 0; id < load; ++id) rewriting.take(id);
  const u8 size = nodes[load].size;
  u16 operand = kNoValue;
  if (change->operand == kNoValue) {
    operand = rewriting.add({.op = Op::Constant, .size = size, .immediate = change->constant});
  } else {
    rewriting.take(change->operand);
    operand = rewriting.place(change->operand);
  }
  Node access{.op = change->op, .size = size, .a = rewriting.place(nodes[load].a), .b = operand};
  if (access.op == Op::Atomic) access.immediate = static_cast<u64>(change->kind);
  rewriting.put(load, access);
  for (u16 id = static_cast<u16>(load + 1); id < nodes.size(); ++id) {
    if (id != store && (id != stored || change->needs_result)) rewriting.take(id);
  }
  ir.nodes = rewriting.made();
  return true;
}

}  // namespace relic86::jit
