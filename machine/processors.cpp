#include "machine/processors.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cpu/nmi_latch.h"
#include "cpu/register_port.h"
#include "devices/input/vmware_port.h"
#include "machine/engines.h"

namespace relic86 {

static_assert(kRegisterPort == VmwarePort::kPort);

Result<std::unique_ptr<Processors>> Processors::create(const Wiring& wiring) {
  std::unique_ptr<Processors> made(new Processors(wiring.board));
  const ProcessorTopology& topology = wiring.options.processors;
  if (has_threads(wiring.options)) made->lock_ = std::make_unique<MachineLock>();
  for (unsigned number = 0; number < topology.count; number++) {
    CpuModel model = wiring.model;
    model.topology = topology;
    model.apic_id = topology.apic_id(number);
    if (topology.count > 1) model.instructions |= feature_bit(Feature::Pause);
    made->all_.push_back(std::make_unique<Vcpu>(number, std::move(model), wiring.board));
    Vcpu& vcpu = *made->all_.back();
    Cpu::Wiring lines;
    lines.bus = &wiring.bus;
    lines.io = &wiring.io;
    lines.clock = &wiring.clock;
    lines.host_units = wiring.host_units;
    lines.random_seed = wiring.random_seed + number;
    if (made->lock_ != nullptr) {
      vcpu.set_thread(
          std::make_unique<ProcessorThread>(*made->lock_, [all = made.get(), &vcpu] { all->take_turn(vcpu); }));
    }
    vcpu.connect(std::move(lines), wiring.options.smm);
    auto engine = make_engine(wiring.options, vcpu.cpu(), wiring.bus, vcpu.thread());
    if (!engine) return engine.error();
    vcpu.set_engine(std::move(engine).value());
    wiring.board.connect_processor(number,
                                   {.intr = [&vcpu](bool level) { vcpu.set_intr(level); },
                                    .nmi = [&vcpu] { vcpu.request(nmi_to_keep(vcpu.cpu().state())); },
                                    .init = [all = made.get(), number] { all->request_init(number); },
                                    .startup = [all = made.get(), number](u8 vector) { all->start_up(number, vector); },
                                    .registers = &vcpu});
  }
  made->running_ = made->all_.front().get();
  wiring.bus.on_topology_change([all = made.get()] { all->flush_tlbs(); });
  return made;
}

u64 Processors::interrupts_taken() const {
  u64 sum = 0;
  for (const auto& vcpu : all_) sum += vcpu->interrupts_taken();
  return sum;
}

u64 Processors::decoded_instructions() const {
  u64 sum = 0;
  for (const auto& vcpu : all_) sum += vcpu->engine().decoded_instructions();
  return sum;
}

std::string Processors::describe_engines() const {
  if (all_.size() == 1) return running_->engine().describe();
  std::string text;
  for (const auto& vcpu : all_) text += fmt::format("CPU#{}\n{}", vcpu->number(), vcpu->engine().describe());
  return text;
}

// --- Turns ---

bool Processors::can_run(const Vcpu& vcpu) const {
  return !vcpu.waits_for_startup && (!vcpu.cpu().state().halted || vcpu.cpu().work_pending());
}

u64 Processors::counted_by_all() const {
  u64 sum = 0;
  for (const auto& vcpu : all_) sum += vcpu->cpu().instruction_count();
  return sum;
}

// Of the others' instructions: no one carries them out meanwhile.
void Processors::settle() {
  settled_ = 0;
  for (const auto& vcpu : all_) {
    if (vcpu.get() != running_) settled_ += vcpu->cpu().instruction_count();
  }
}

void Processors::switch_to(unsigned number) {
  Vcpu& next = *all_[number];
  if (&next == running_) return;
  take_turn(next);
  settle();
}

void Processors::take_turn(Vcpu& next) {
  if (&next == running_) return;
  // SMRAM shows to the processors in system management mode alone (82441FX datasheet, SMIACT#).
  const bool was = running_->cpu().state().in_smm, is = next.cpu().state().in_smm;
  running_ = &next;
  board_.set_running_processor(next.number());
  if (was != is) board_.set_system_management_mode(is);
}

bool Processors::next_turn() {
  for (unsigned i = 1; i <= count(); i++) {
    const unsigned number = (running_->number() + i) % count();
    if (!can_run(*all_[number])) continue;
    switch_to(number);
    quantum_left_ = kQuantum;
    return true;
  }
  return false;
}

ExitReason Processors::run(u64 budget) {
  if (all_.size() == 1) [[likely]]
    return running_->engine().run(budget);
  const u64 begun = instruction_count();
  run_end_ = budget > ~u64{0} - begun ? ~u64{0} : begun + budget;
  unsigned idle_turns = 0;  // in a row: what is pending is held back, an NMI in its handler for example
  for (unsigned turns = 0; turns < kTurnsAtOnce; turns++) {
    // A stop is for the machine to act on before anybody goes on.
    if ((running_->cpu().state().pending & kPendingStop) != 0) return ExitReason::Stopped;
    if ((quantum_left_ == 0 || !can_run(*running_)) && !next_turn()) return ExitReason::Halted;
    const u64 before = running_->cpu().instruction_count();
    const ExitReason reason = running_->engine().run(std::min(run_end_ - instruction_count(), quantum_left_));
    account(before);
    if (reason == ExitReason::Halted) {
      quantum_left_ = 0;
      if (running_->cpu().instruction_count() == before) {
        if (++idle_turns == count()) return ExitReason::Halted;
        continue;
      }
    } else if (reason != ExitReason::BudgetSpent || quantum_left_ != 0) {
      return reason;
    }
    idle_turns = 0;
    const u64 now = instruction_count();
    if (now >= run_end_ || now - begun >= kLooksAfter) return ExitReason::BudgetSpent;
  }
  return ExitReason::BudgetSpent;
}

void Processors::shorten_run(u64 count) {
  run_end_ = std::min(run_end_, instruction_count() + count);
  running_->cpu().shorten_slice(count);
}

// What the running one has done since its count was this.
void Processors::account(u64 before) {
  quantum_left_ -= std::min(running_->cpu().instruction_count() - before, quantum_left_);
  if (running_->cpu().take_yield()) quantum_left_ = 0;
}

ExitReason Processors::single_step(unsigned number) {
  if (number != running_->number()) {
    switch_to(number);
    quantum_left_ = kQuantum;
  }
  if (running_->waits_for_startup) return ExitReason::Halted;
  const u64 before = running_->cpu().instruction_count();
  const ProcessorThread::Acting acting(running_->thread());
  const ExitReason reason = running_->engine().single_step();
  account(before);
  return reason;
}

ExitReason Processors::let_others_run(unsigned number) {
  ExitReason outcome = ExitReason::Halted;
  for (unsigned other = 0; other < count(); other++) {
    if (other == number || !can_run(*all_[other])) continue;
    switch_to(other);
    quantum_left_ = kQuantum;
    const u64 before = running_->cpu().instruction_count();
    const ProcessorThread::Acting acting(running_->thread());
    const ExitReason reason = running_->engine().run(kQuantum);
    account(before);
    if (reason != ExitReason::BudgetSpent && reason != ExitReason::Halted) return reason;
    outcome = ExitReason::BudgetSpent;
  }
  switch_to(number);
  quantum_left_ = kQuantum;
  return outcome;
}

// --- Reset, INIT, start-up ---

void Processors::reset() {
  for (const auto& vcpu : all_) {
    vcpu->cpu().reset();
    vcpu->init_requested = false;
    vcpu->startup_after_init.reset();
    vcpu->waits_for_startup = vcpu->number() != 0;
  }
  switch_to(0);
  quantum_left_ = 0;
}

void Processors::request_init() {
  for (const auto& vcpu : all_) {
    vcpu->init_requested = true;
    if (lock_ != nullptr) vcpu->request(kPendingStop);
  }
  running_->request(kPendingStop);
}

void Processors::request_init(unsigned number) {
  Vcpu& vcpu = *all_[number];
  vcpu.init_requested = true;
  // It is in the middle of an instruction.
  if (&vcpu == running_ || lock_ != nullptr) return vcpu.request(kPendingStop);
  carry_out_init(vcpu);
}

void Processors::carry_out_inits() {
  for (const auto& vcpu : all_) carry_out_init(*vcpu);
}

// INIT waits for RSM (SDM 3C 34.3.1).
void Processors::carry_out_init(Vcpu& vcpu) {
  if (!vcpu.init_requested || vcpu.cpu().state().in_smm) return;
  vcpu.init_requested = false;
  board_.init_processor(vcpu.number());
  vcpu.cpu().init();
  vcpu.waits_for_startup = vcpu.number() != 0;
  if (const auto vector = std::exchange(vcpu.startup_after_init, std::nullopt)) start_up(vcpu.number(), *vector);
}

void Processors::start_up(unsigned number, u8 vector) {
  Vcpu& vcpu = *all_[number];
  // INIT# that the processor's thread has not come to yet, unless system management mode holds it back.
  if (lock_ != nullptr && vcpu.init_requested && !vcpu.cpu().state().in_smm) {
    vcpu.startup_after_init = vector;
    return let_start(vcpu);
  }
  if (!vcpu.waits_for_startup) return;
  vcpu.waits_for_startup = false;
  vcpu.cpu().start_up(vector);
  let_start(vcpu);
  if (lock_ != nullptr) vcpu.thread()->notify();
}

// It begins at once, in memory that the sender may soon want back: whose turn it is, it is over.
void Processors::let_start(Vcpu& vcpu) {
  if (&vcpu == running_ || (lock_ != nullptr && !running_->thread()->here())) return;
  vcpu.starting = true;
  running_->cpu().yield();
}

// --- Derived caches, state ---

void Processors::flush_code() {
  for (const auto& vcpu : all_) vcpu->engine().flush_code();
}

void Processors::flush_tlbs() {
  if (lock_ != nullptr) lock_->bring_out();
  for (const auto& vcpu : all_) vcpu->cpu().mmu().flush_all();
}

void Processors::state(StateArchive& archive) {
  for (const auto& vcpu : all_) {
    const std::string name = vcpu->number() == 0 ? "cpu" : fmt::format("cpu{}", vcpu->number());
    archive.group(name, [&] { vcpu->cpu().state_archive(archive); });
  }
  if (all_.size() == 1) return;
  archive.group("processors", [&] {
    u32 running = running_->number();
    archive.field("running", running);
    archive.field("quantum_left", quantum_left_);
    for (const auto& vcpu : all_) {
      // The bootstrap processor never waits.
      if (vcpu->number() != 0)
        archive.field(fmt::format("waits_for_startup{}", vcpu->number()), vcpu->waits_for_startup);
      archive.field(fmt::format("init_requested{}", vcpu->number()), vcpu->init_requested);
    }
    if (!archive.loading()) return;
    quantum_left_ = std::min(quantum_left_, kQuantum);
    running_ = all_[running % count()].get();
    settle();
    board_.set_running_processor(running_->number());
  });
}

Processors::Requests Processors::requests() const {
  Requests now;
  for (const auto& vcpu : all_) {
    now.pending.push_back(vcpu->cpu().state().pending);
    now.inits.push_back(vcpu->init_requested);
  }
  return now;
}

void Processors::set_requests(const Requests& requests) {
  for (const auto& vcpu : all_) {
    vcpu->cpu().state().pending = requests.pending[vcpu->number()];
    vcpu->init_requested = requests.inits[vcpu->number()];
  }
}

void Processors::keep_all_but_intr(const Requests& requests) {
  for (const auto& vcpu : all_) {
    u32& pending = vcpu->cpu().state().pending;
    pending = (requests.pending[vcpu->number()] & ~u32{kPendingIntr}) | (pending & kPendingIntr);
    vcpu->init_requested = requests.inits[vcpu->number()];
  }
}

void Processors::forget_requests() {
  for (const auto& vcpu : all_) {
    // One that waits for the end of system management mode is part of a state of several processors.
    if (all_.size() == 1) vcpu->init_requested = false;
    vcpu->cpu().state().pending &= ~u32{kPendingStop | kPendingReset | kPendingInit};
  }
}

}  // namespace relic86
