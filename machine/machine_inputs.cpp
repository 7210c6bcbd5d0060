// Where the machine and the host's side meet: what comes in, in order or from a recording, and the character devices.
#include <fmt/format.h>

#include "devices/character/parallel_port.h"
#include "devices/character/uart16550.h"
#include "devices/input/game_port.h"
#include "devices/input/pointer.h"
#include "machine/guest_inputs.h"
#include "machine/kept_state.h"
#include "machine/machine.h"
#include "machine/recorded_sink.h"
#include "machine/time_travel.h"

namespace relic86 {

namespace {
constexpr u32 kFirstVirtioLine = 16;  // of input::Byte: serial ports come before
}

// --- What reaches the guest ---

GuestMoment Machine::moment() const {
  const u64 instructions = instruction_count();
  const GuestTime time = clock_->now();
  const bool same = instructions == last_look_.instructions && time == last_look_.time;
  return {instructions, time, same ? last_look_.looks : 0};
}

u32 Machine::register_sum() const {
  u64 sum = 0;
  for (unsigned n = 0; n < processors_->count(); n++) {
    const CpuState& state = (*processors_)[n].cpu().state();
    sum ^= state.rip;
    for (const u64 value : state.gpr) sum = (sum ^ value) * 0x9E3779B97F4A7C15 + 1;
  }
  return static_cast<u32>(sum >> 32);
}

Result<> Machine::apply(const GuestInput& given) {
  struct Apply {
    Machine& machine;
    Result<> operator()(const input::Key& key) const {
      machine.board_->keyboard().key(key.code, key.down);
      return {};
    }
    Result<> operator()(const input::AllKeysUp&) const {
      machine.board_->keyboard().release_all();
      return {};
    }
    Result<> operator()(const input::Move& move) const {
      machine.board_->pointer().move(move.dx, move.dy, move.dz);
      return {};
    }
    Result<> operator()(const input::Place& place) const {
      machine.board_->pointer().point(place.x, place.y);
      return {};
    }
    Result<> operator()(const input::Buttons& buttons) const {
      machine.board_->pointer().buttons(buttons.mask);
      return {};
    }
    Result<> operator()(const input::Joystick& joystick) const {
      GamePort* const port = machine.board_->game_port();
      if (port == nullptr) return Error{"there is no game port (-device gameport; a sb16 has one)"};
      if (joystick.stick >= GamePort::kSticks) return Error{"the game port has sticks 0 and 1"};
      port->move(joystick.stick, joystick.position);
      return {};
    }
    Result<> operator()(const input::Byte& byte) const {
      const auto line = machine.input_lines_.find(byte.line);
      if (line == machine.input_lines_.end()) return Error{fmt::format("there is no line {}", byte.line)};
      if (!line->second->can_receive()) return Error{fmt::format("line {} takes no byte", byte.line)};
      line->second->receive(byte.byte);
      return {};
    }
    Result<> operator()(const input::Frame& frame) const {
      if (frame.card >= machine.network_->cards()) return Error{fmt::format("there is no network card {}", frame.card)};
      machine.network_->card(frame.card).accept(frame.bytes);
      return {};
    }
    Result<> operator()(const input::Link& link) const { return machine.network_->set_link(link.name, link.up); }
    Result<> operator()(const input::Reset&) const {
      machine.reset();
      return {};
    }
    Result<> operator()(const input::PowerButton&) const {
      machine.power_button();
      return {};
    }
    Result<> operator()(const input::Wake&) const {
      machine.wake();
      return {};
    }
    Result<> operator()(const input::Nmi&) const {
      machine.board_->pulse_nmi();
      return {};
    }
    Result<> operator()(const input::Medium& medium) const {
      machine.travel_->media_changed();
      return machine.change_medium(medium.drive, medium.change);
    }
    Result<> operator()(const input::Tray& tray) const {
      return tray.open ? machine.open_tray(tray.drive, tray.force) : machine.close_tray(tray.drive);
    }
  };
  return std::visit(Apply{*this}, given);
}

Result<> Machine::check_recordable() const {
  if (!options_.icount || options_.icount->record_replay == RecordReplay::Off || options_.snapshot) return {};
  for (const DriveOption& drive : options_.drives) {
    if (drive.file.empty() || drive.read_only || drive.snapshot || drive.media == DriveOption::Media::Cdrom) continue;
    return Error{
        fmt::format("-icount rr=: the guest writes to {} {}, so that it is another disk at the replay; add "
                    "-snapshot, or readonly=on",
                    drive.option, drive.file)};
  }
  return {};
}

void Machine::pass_stride() {
  if (!inputs_->repeatable()) return;
  const u64 now = instruction_count();
  if (now % TimeTravel::kStride != 0 || now == passed_stride_ || !has_run_) return;
  passed_stride_ = now;
  processors_->flush_tlbs();
  travel_->at_stride();
}

void Machine::replay() {
  if (!inputs_->replaying() || !has_run_ || end_ != End::None) return;
  if (auto replayed = inputs_->replay_due(); !replayed) return end_replay(replayed.error());
  if (inputs_->at_end()) finish(End::ReplayEnd);
}

void Machine::end_replay(const Error& failure) {
  replay_report_ = fmt::format("relic86: {}\n", failure.message);
  finish(End::ReplayFailed);
}

void Machine::close_inputs() {
  if (!has_run_ || end_ == End::ReplayFailed) return;
  auto report = inputs_->finish();
  if (!report) {
    end_ = End::ReplayFailed;
    replay_report_ = fmt::format("relic86: {}\n", report.message());
  } else if (!report.value().empty()) {
    replay_report_ = fmt::format("relic86: {}", report.value());
  }
}

// --- The way back ---

Result<std::shared_ptr<const KeptState>> Machine::keep(const KeptState* before) {
  auto overlays = KeptOverlays::of(media_, before != nullptr ? &before->overlays : nullptr);
  if (!overlays) return overlays.error();
  StateWriter writer;
  state(writer);
  std::vector<std::deque<std::vector<u8>>> frames;
  for (std::size_t i = 0; i < network_->cards(); i++) frames.push_back(network_->card(i).frames());
  const auto memory = store_->bytes(BackingOffset(0), store_->size());
  return std::make_shared<const KeptState>(
      KeptState{instruction_count(), writer.data(), KeptMemory(memory, before != nullptr ? &before->memory : nullptr),
                std::move(overlays).value(), inputs_->position(), last_look_, std::move(frames)});
}

Result<> Machine::put_back(const KeptState& kept) {
  if (auto drives = kept.overlays.put_back(media_); !drives) return drives;
  kept.memory.put_back(store_->bytes(BackingOffset(0), store_->size()));
  if (auto loaded = load_state(kept.state); !loaded) return loaded;
  forget_derived();
  reset_requested_ = power_off_requested_ = at_replay_end_ = false;
  processors_->forget_requests();
  follow_clock();
  audio_->restart(clock_->now());
  for (std::size_t i = 0; i < kept.frames.size(); i++) network_->card(i).set_frames(kept.frames[i]);
  inputs_->go_to(kept.inputs);
  last_look_ = kept.last_look;
  passed_stride_ = kept.instructions;
  return {};
}

bool Machine::retrace(u64 instructions) {
  paused_ = false;
  retracing_ = true;
  running().state().pending &= ~u32{kPendingStop};
  processors_->running().engine().pass_breakpoint();
  clock_->start();
  while (end_ == End::None && !paused_ && instruction_count() < instructions) turn(instructions);
  retracing_ = false;
  const bool there = !paused_ && end_ == End::None;
  if (!paused_) {
    paused_ = true;
    clock_->stop();
    processors_->running().request(kPendingStop);
  }
  return there;
}

// --- Character devices ---

CharSink* Machine::output_line(CharSink* sink) {
  if (sink == nullptr || !inputs_->repeatable()) return sink;
  output_lines_.push_back(std::make_unique<RecordedSink>(*travel_, *sink));
  return output_lines_.back().get();
}

void Machine::connect_serial(unsigned port, CharBackend* backend) {
  Uart16550* uart = board_->uart(port);
  if (uart == nullptr) return;
  backend->connect(&input_line(port, *uart));
  if (port != 0) return uart->connect(output_line(backend));
  serial_tee_ = std::make_unique<SerialTee>(*expectations_, backend);
  uart->connect(output_line(serial_tee_.get()));
}

CharSource& Machine::input_line(u32 number, CharSource& device) {
  input_lines_[number] = &device;
  return inputs_->line(number, device);
}

void Machine::connect_parallel(unsigned port, CharBackend* backend) {
  if (ParallelPort* device = board_->parallel(port); device != nullptr) device->connect(output_line(backend));
}

void Machine::connect_midi(CharBackend* backend) {
  if (MidiVoice* const midi = audio_->midi(); midi != nullptr) midi->connect(output_line(backend));
}

void Machine::connect_virtio_port(std::size_t port, CharBackend* backend) {
  backend->connect(&input_line(kFirstVirtioLine + static_cast<u32>(port), board_->virtio_port_input(port)));
  board_->connect_virtio_port(port, output_line(backend));
}

}  // namespace relic86
