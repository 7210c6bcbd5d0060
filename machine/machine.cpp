#include "machine/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <tuple>

#include "base/log.h"
#include "base/state_loading.h"
#include "cpu/exact_functions.h"
#include "devices/character/parallel_port.h"
#include "devices/character/uart16550.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/virtio/virtio_balloon.h"
#include "display/video_recorder.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"
#include "machine/disk_exports.h"
#include "machine/engines.h"
#include "machine/guest_inputs.h"
#include "machine/host_time.h"
#include "machine/incoming_migration.h"
#include "machine/machine_tasks.h"
#include "machine/migration.h"
#include "machine/network_options.h"
#include "machine/processor_threads.h"
#include "machine/recorded_sink.h"
#include "machine/retrace_sleep.h"
#include "machine/saved_machine.h"
#include "machine/shared_thread_time.h"
#include "machine/sound_options.h"
#include "machine/time_travel.h"
#include "memory/release_pages.h"

namespace relic86 {

namespace {
constexpr i64 kServeInterval = 1'000'000;              // host ns between looks at host input
constexpr GuestTime kCheckInterval = 50'000'000;       // guest ns between looks at the screen for expectations
constexpr GuestTime kFrameInterval = 16'666'667;       // guest ns between pictures for the window
constexpr GuestTime kPromptCheckInterval = 1'000'000;  // serial expectations: soon after the text
constexpr i64 kLongestSleep = 100'000'000;             // host ns; time limits and windows are served in between
constexpr i64 kMostPaceOfSeveral = 1;                  // MachineClock::limit_pace
}  // namespace

Machine::Machine(const Options& options, HostPoller& poller)
    : options_(options), poller_(poller), tasks_(std::make_unique<Tasks>()) {}

Machine::~Machine() {
  end_threads();
  if (video_) (void)record_video("");
  for (const auto& [drive, medium] : media_) medium->stop_serving();
  for (const auto& [name, fd] : descriptors_) ::close(fd);
  if (audio_ && board_) audio_->finish(clock_->now());
}

Result<std::unique_ptr<Machine>> Machine::create(const Options& options, HostPoller& poller) {
  std::unique_ptr<Machine> machine(new Machine(options, poller));
  if (auto built = machine->build(); !built) return built.error();
  return machine;
}

Result<> Machine::build() {
  auto expectations = Expectations::create(options_);
  if (!expectations) return expectations.error();
  expectations_ = std::make_unique<Expectations>(std::move(expectations).value());

  auto store = BackingStore::create(options_.ram_bytes, PcBoard::kExtraMemory);
  if (!store) return store.error();
  store_ = std::make_unique<BackingStore>(std::move(store).value());
  bus_ = std::make_unique<PhysicalBus>(*store_);
  io_ = std::make_unique<IoSpace>();
  clock_ = std::make_unique<MachineClock>(options_.icount,
                                          [this] { return processors_ ? processors_->instruction_count() : 0; });
  if (options_.processors.count > 1) clock_->limit_pace(kMostPaceOfSeveral);
  if (options_.processors.count > 1 && !options_.icount && !has_threads(options_))
    shared_time_ = std::make_unique<SharedThreadTime>();
  scheduler_ = std::make_unique<Scheduler>(*clock_);
  scheduler_->set_listener(this);
  speed_limit_.set(options_.speed);

  auto model = cpu_model_for(options_);
  if (!model) return model.error();
  if (options_.processors.count > 1 && (model.value().features_edx & kCpuidApic) == 0)
    return Error{
        fmt::format("-smp {}: processors of the model '{}' have no local APIC to start each other with; name a "
                    "-cpu that has one, such as pentium3",
                    options_.processors.count, model.value().name)};
  auto plan = board_plan_for(options_, options_.icount ? nullptr : &random_);
  if (!plan) return plan.error();
  BoardConfig& config = plan.value().config;
  config.processors = options_.processors;
  if (!options_.debugcon.empty()) config.debug_consoles.push_back({options_.debugcon_port, &debug_console_});
  if ((model.value().features_edx & kCpuidApic) != 0) {
    config.local_apic = {.x2apic = (model.value().features_ecx & kCpuidX2apic) != 0,
                         .tsc_deadline = (model.value().features_ecx & kCpuidTscDeadline) != 0,
                         .keeps_ticks = !options_.icount};
  }
  media_ = std::move(plan.value().media);
  // Counted time is the same in every run only if nothing depends on when the host's disk answers.
  if (options_.disk_threads > 0 && !options_.icount)
    disk_workers_ = std::make_unique<BlockWorkers>(options_.disk_threads);
  for (const auto& [drive, medium] : media_) {
    watch_failures(drive, *medium);
    serve_medium(medium);
  }
  note_nodes();
  if (auto recordable = check_recordable(); !recordable) return recordable;
  auto inputs = GuestInputs::create(
      options_.icount, {[this](const GuestInput& input) { return apply(input); }, [this] { return moment(); },
                        [this] { return register_sum(); }, [this] { return state_hash(); }});
  if (!inputs) return inputs.error();
  inputs_ = std::move(inputs).value();
  travel_ = std::make_unique<TimeTravel>(*this);
  const auto reach = inputs_->replaying() ? net::Network::Reach::Nowhere : net::Network::Reach::Host;
  network_ = std::make_unique<net::Network>(*scheduler_, *clock_, poller_, reach);
  if (inputs_->repeatable()) network_->watch(inputs_.get());
  if (auto built = network_->build(options_.network, options_.objects); !built) return built;
  if (auto added = add_network_cards(options_, *network_, config); !added) return added;
  auto audio = AudioSystem::create(options_);
  if (!audio) return audio.error();
  audio_ = std::move(audio).value();
  connect_sound(config, *audio_);
  auto board = PcBoard::create(std::move(config), *scheduler_, *io_, *bus_, *this);
  if (!board) return board.error();
  board_ = std::move(board).value();
  if (SoundHost* host = audio_->host(options_.speaker_audio); host != nullptr && !options_.speaker_audio.empty())
    board_->connect_speaker(*host);

  board_->on_eject([this] {
    ejected_ = true;
    if (processors_) processors_->running().request(kPendingStop);
  });
  for (unsigned place = 0; place < PcBoard::kDrivePlaces; place++) {
    if (AtapiCdrom* const drive = board_->cdrom(place); drive != nullptr)
      drive->on_guest_moves_tray([this, name = drive_place_name(options_, place, DriveOption::Media::Cdrom)](
                                     bool open) { tell_tray(name, open); });
  }
  if (VirtioBalloon* balloon = board_->balloon(); balloon != nullptr)
    balloon->on_change([this] { announce(MachineEvent::BalloonChange); });
  auto host_units = masked_host_units(present_host_units(), options_.host_features);
  if (!host_units) return host_units.error();
  host_units.value().exact_functions = options_.deterministic_fpu;
  if (auto fits = fit_to_host(model.value(), host_units.value()); !fits) return fits.error();
  if (options_.deterministic_fpu && !exact_functions::available())
    return Error{"--deterministic-fpu: this build has no MPFR; install libmpfr-dev and build again"};
  u64 seed = options_.seed.value_or(0);  // with counted time every run draws the same numbers
  if (!options_.icount && !options_.seed) random_.fill(std::span(reinterpret_cast<u8*>(&seed), sizeof seed));
  auto processors =
      Processors::create({options_, model.value(), *bus_, *io_, *clock_, *board_, host_units.value(), seed});
  if (!processors) return processors.error();
  processors_ = std::move(processors).value();
  // Where instructions are counted, or processors share the time, it matters how often a guest looks.
  if (DisplayAdapter* const display = board_->display();
      display != nullptr && !clock_->deterministic() && processors_->count() == 1 && sleeps_until_retrace(options_))
    retrace_sleep_ =
        std::make_unique<RetraceSleep>(*display, processors_->running().cpu(), [this] { processors_->shorten_run(0); });
  debugger_ = std::make_unique<Debugger>(*processors_);
  const auto press = [this](KeyCode code, bool down) {
    (void)inputs_->enter(input::Key{code, down});  // the keyboard refuses nothing
  };
  keys_ = std::make_unique<KeySender>(board_->keyboard(), press, find_key_layout(options_.keyboard_layout));

  board_->reset(ResetKind::PowerOn);
  processors_->reset();
  if (options_.incoming.empty()) attach_journals(*this);  // else the other program still writes to them
  if (options_.timeout_seconds > 0)
    host_deadline_ = host_monotonic_ns() + static_cast<i64>(options_.timeout_seconds * 1e9);
  migration_ = std::make_unique<Migration>(*this, poller_);
  block_jobs_ = std::make_unique<BlockJobs>(*this, poller_);
  exports_ = std::make_unique<DiskExports>(*this, poller_);
  return options_.incoming.empty() ? Result<>() : await_arrival();
}

void Machine::note_nodes() {
  for (const DriveOption& drive : options_.drives) {
    if (drive.node.empty() || drive.interface == DriveOption::Interface::None) continue;
    drive_nodes_[drive_name(options_, drive)] = drive.node;
  }
}

// --- Running ---

End Machine::run() {
  if (!options_.start_paused && hold_ != Hold::Incoming) resume();
  while (end_ == End::None) turn(~u64{0});
  end_threads();
  close_inputs();
  clock_->stop();
  debugger_->ended(exit_code());
  return end_;
}

End Machine::run_to(u64 limit, GuestTime longest_halt) {
  if (!options_.start_paused && instruction_count() == 0) resume();
  u64 count = instruction_count();
  GuestTime last_progress = clock_->now();
  while (end_ == End::None && !paused_ && count < limit) {
    turn(limit);
    const u64 now = instruction_count();
    if (now != count) {
      last_progress = clock_->now();
    } else if (clock_->now() - last_progress > longest_halt || next_stop() == Scheduler::kNever) {
      break;
    }
    count = now;
  }
  return end_;
}

End Machine::run_until(const std::function<bool()>& done) {
  if (!options_.start_paused) resume();
  while (end_ == End::None && !done()) turn(~u64{0});
  end_threads();
  return end_;
}

void Machine::turn(u64 limit) {
  if (has_threads(options_)) return turn_of_threads();
  if (travel_->asked() && paused_) return travel_->carry_out();
  pass_stride();
  const bool was_paused = paused_;
  serve_host();
  if (end_ != End::None) return;
  if (paused_) {
    poller_.poll(kLongestSleep);
    last_served_ = 0;
    return;
  }
  if (was_paused) return;  // Resumed just now: a replay keeps its first state before anything runs.
  if (debugger_->stepping() && !board_->suspended()) [[unlikely]] {
    run_step();
  } else {
    carry_out_events();
    if (!board_->suspended()) {
      run_slice(limit);
    } else if (!wake_requested_) {
      idle();
    }
  }
  carry_out_requests();
}

void Machine::on_sample(GuestTime interval, Sampler sampler) {
  sampler_ = std::move(sampler);
  sample_interval_ = interval;
  next_sample_ = clock_->now() + interval;
}

void Machine::follow_clock() {
  next_check_ = next_frame_ = 0;
  if (sampler_) next_sample_ = clock_->now() + sample_interval_;
}

void Machine::take_sample() {
  stop_threads();
  const auto intervals = static_cast<u64>((clock_->now() - next_sample_) / sample_interval_) + 1;
  next_sample_ += static_cast<GuestTime>(intervals) * sample_interval_;
  sampler_(intervals);
}

GuestTime Machine::next_stop() const {
  GuestTime stop = scheduler_->next_deadline();
  if (expectations_->any()) stop = std::min(stop, next_check_);
  if (frame_callback_ || video_) stop = std::min(stop, next_frame_);
  stop = std::min(stop, audio_->next_advance());
  if (clock_->deterministic() && options_.timeout_seconds > 0) {
    stop = std::min(stop, static_cast<GuestTime>(options_.timeout_seconds * 1e9));
  }
  if (const auto replayed = inputs_->next()) stop = std::min(stop, replayed->time);
  return stop;
}

void Machine::carry_out_events() {
  if (inputs_->repeatable()) {
    last_look_ = moment();
    last_look_.looks++;
  }
  scheduler_->run_due();
  clock_->expect_event(scheduler_->next_deadline());
}

void Machine::run_slice(u64 limit) {
  clock_->govern(shared_time_.get());
  const u64 count_before = instruction_count();
  const i64 host_before = clock_->deterministic() ? 0 : host_monotonic_ns();
  const auto replayed = inputs_->next();
  if (replayed) limit = std::max(count_before, std::min(limit, replayed->instructions));
  if (inputs_->repeatable()) limit = std::min(limit, (count_before / TimeTravel::kStride + 1) * TimeTravel::kStride);
  u64 budget = std::min(clock_->budget(std::min(next_stop(), next_sample_)), limit - count_before);
  if (!clock_->deterministic()) budget = std::min(budget, speed_limit_.most_at_once());
  const ExitReason reason = processors_->run(budget);
  if (replayed && limit == count_before && reason == ExitReason::BudgetSpent)
    return end_replay(inputs_->diverged("the processor runs where it waited"));
  if (!clock_->deterministic()) {
    const u64 count = instruction_count() - count_before;
    // In guest time: what the host keeps from the machine must not make its processor look faster.
    const i64 wait = speed_limit_.instructions_per_second() == 0 ? 0 : speed_limit_.wait_after(count, clock_->now());
    if (wait > 0) {
      poller_.poll(static_cast<i64>(static_cast<double>(wait) / clock_->pace()));
      last_served_ = 0;
    }
    // The wait belongs to the speed that is measured: the next slice is a millisecond of the slower processor's time.
    clock_->measure(count, host_monotonic_ns() - host_before);
  }
  act_on(reason);
  if (retrace_sleep_ && reason == ExitReason::BudgetSpent) sleep_until_retrace();
}

// As after HLT, but for the guest's interrupts, which come between its looks: all that may raise one ends the sleep.
void Machine::sleep_until_retrace() {
  constexpr GuestTime kShortest = 50'000;  // ns of the guest that are worth a sleep
  const auto ends = retrace_sleep_->wait_ends();
  if (!ends) return;
  const GuestTime wait = std::min({next_stop(), next_sample_, *ends}) - clock_->now();
  if (wait < kShortest) return;
  sleep_in_real_time(std::min<GuestTime>(wait, kLongestSleep));
}

void Machine::sleep_in_real_time(i64 guest_nanoseconds) {
  poller_.poll(clock_->sleep_for(guest_nanoseconds));
  last_served_ = 0;
  if (shared_time_) shared_time_->note_idle();
  clock_->slept(guest_nanoseconds);
}

void Machine::run_step() {
  clock_->govern(nullptr);
  // Devices wait too while interrupts are held back, unless somebody waits for them.
  if (debugger_->needs_devices()) carry_out_events();
  clock_->expect_event(scheduler_->next_deadline());
  // In a run that is to be the same as another, the debugger does not say whose turn it is.
  const bool by_turns = inputs_->repeatable() && processors_->count() > 1;
  act_on(by_turns ? debugger_->step_by_turns() : debugger_->step_engine());
}

void Machine::act_on(ExitReason reason) {
  const bool debugger_stops = debugger_->wants_stop(reason);
  switch (reason) {
    case ExitReason::BudgetSpent:
    case ExitReason::Stopped:
    case ExitReason::Breakpoint: break;
    case ExitReason::Halted:
      if (!debugger_stops && !reset_requested_ && !power_off_requested_ && end_ == End::None) idle();
      break;
    case ExitReason::Shutdown:
      log::print(log::Channel::Reset, "triple fault");
      if (options_.no_reboot || ends_at_triple_fault_) return finish(End::TripleFault);
      reset_requested_ = true;
      break;
  }
  if (!debugger_stops) return;
  if (!travel_->searching()) return pause();
  if (const auto stop = debugger_->take_stop()) travel_->note_stop(*stop);
  processors_->running().engine().pass_breakpoint();
}

void Machine::idle() {
  const GuestTime stop = next_stop();
  const GuestTime now = clock_->now();
  if (stop <= now) {
    // Nothing is due that could wake the guest, and time goes on no further before the input.
    const auto replayed = inputs_->next();
    const bool waits = replayed && replayed->time <= now && replayed->instructions > instruction_count();
    if (waits && scheduler_->next_deadline() > now) end_replay(inputs_->diverged("the processor waits where it ran"));
    return;
  }
  if (!clock_->sleeps() || inputs_->replaying()) {
    // Deterministic without sleep: straight on to the next event. With none left only the host can wake the guest.
    if (stop != Scheduler::kNever) return clock_->skip_to(stop);
    poller_.poll(kLongestSleep);
    last_served_ = 0;
    return;
  }
  const i64 wait = stop == Scheduler::kNever ? kLongestSleep : std::min<i64>(stop - now, kLongestSleep);
  if (!clock_->deterministic()) return sleep_in_real_time(wait);
  const i64 before = host_monotonic_ns();
  const u64 entered = inputs_->entered();
  poller_.poll(wait);
  last_served_ = 0;
  // Under -icount idle time passes as it does on the host, but never beyond the next event, so that guest time is the
  // same in every run.
  if (stop != Scheduler::kNever && inputs_->entered() == entered && host_monotonic_ns() - before >= wait)
    clock_->skip_to(now + wait);
}

void Machine::carry_out_requests() {
  if (end_ != End::None) return;
  if (power_off_requested_ || reset_requested_ || wake_requested_ || ejected_ || watchdog_expired_ || guest_panicked_)
    stop_threads();
  if (ejected_) carry_out_ejections();
  if (guest_panicked_) carry_out_panic();
  if (watchdog_expired_) carry_out_watchdog();
  if (end_ != End::None) return;
  if (power_off_requested_) {
    power_off_requested_ = false;
    if (!options_.no_shutdown) return finish(End::PowerOff);
    powered_off_ = true;
    announce(MachineEvent::Shutdown);
    return pause();
  }
  if (reset_requested_) {
    reset_requested_ = false;
    if (options_.no_reboot) return finish(End::Reset);
    reset_by_guest_ = true;
    reset();
    reset_by_guest_ = false;
  }
  if (wake_requested_ && board_->suspended()) reset(ResetKind::Resume);
  wake_requested_ = false;
  if (threads_ && !threads_->stopped()) return;  // they see to the rest
  processors_->carry_out_inits();
  if (!paused_) running().state().pending &= ~u32{kPendingStop};  // what the engine stopped for is done
}

void Machine::serve_host() {
  replay();
  const i64 now = host_monotonic_ns();
  const bool due = now - last_served_ >= kServeInterval;
  if (due) {
    last_served_ = now;
    serve_descriptors();
  }
  if (due || tasks_->waiting.load(std::memory_order_relaxed)) carry_out_tasks();
  if (due) {
    if (!clock_->deterministic() || paused_) serve_input();
    // A busy host's other work does not count: what ends a run is the guest's time, not the neighbours'.
    if (host_deadline_ != 0 && (!clock_->deterministic() || paused_) && now >= host_deadline_ &&
        now >= host_deadline_ + std::max(host_thread_wait_ns(), threads_ ? threads_->longest_host_wait() : 0)) {
      finish(End::TimeUp);
    }
  }
  if (paused_) return;
  // Counted time: input that waits goes in at the same instruction in every run.
  if (clock_->deterministic()) serve_input();
  const GuestTime guest_now = clock_->now();
  if ((frame_callback_ || video_) && guest_now >= next_frame_) {
    next_frame_ = guest_now + kFrameInterval;
    stop_threads();  // no store to the screen is on its way when its pages are watched anew
    if (frame_callback_) frame_callback_();
    if (video_) record_picture(guest_now);
  }
  if (guest_now >= next_sample_) take_sample();
  if (audio_->next_advance() <= guest_now) audio_->advance(guest_now);
  if (expectations_->any() && guest_now >= next_check_) check_expectations();
  if (end_ == End::None && clock_->deterministic() && options_.timeout_seconds > 0 &&
      guest_now >= static_cast<GuestTime>(options_.timeout_seconds * 1e9)) {
    finish(End::TimeUp);
  }
}

void Machine::serve_input() {
  for (CharBackend* backend : backends_) backend->pump();
  keys_->advance(clock_->now());
}

void Machine::check_expectations() {
  next_check_ = clock_->now() + (expectations_->watches_screen() ? kCheckInterval : kPromptCheckInterval);
  if (expectations_->watches_screen()) {
    stop_threads();  // as for a picture
    expectations_->screen(board_->text_screen());
  }
  switch (expectations_->check()) {
    case Expectations::Verdict::Pending: break;
    case Expectations::Verdict::AllSeen: return finish(End::ExpectationsMet);
    case Expectations::Verdict::FailureSeen: return finish(End::FailureSeen);
  }
}

// --- Requests ---

void Machine::announce(MachineEvent event) {
  for (const auto& listener : listeners_) listener(event);
}

void Machine::pause() {
  if (paused_) return;
  if (ProcessorThread::current() == nullptr) stop_threads();
  drain_disks();
  paused_ = true;
  clock_->stop();
  processors_->running().request(kPendingStop);
  debugger_->paused();
  announce(MachineEvent::Stop);
}

Result<> Machine::serve_gdb(const std::string& device) {
  if (!gdb_service_) return Error{"this machine has no gdb server"};
  return gdb_service_(device);
}

void Machine::resume() {
  if (!paused_ || powered_off_) return;
  if (hold_ == Hold::Incoming) return incoming_->run_when_here();
  if (migration_->status() == MigrationStatus::Device)
    return log::warning("the machine is on its way to another program; migrate_cancel brings it back");
  // After a migration the disks are the other program's, as long as that runs.
  if (hold_ == Hold::Migrated) {
    if (auto acquired = acquire_disks(); !acquired) return log::warning(acquired.message());
  }
  hold_ = Hold::None;
  stop_cause_ = StopCause::Other;
  if (at_replay_end_) return debugger_->stop_at({DebugStop::Cause::ReplayEnd});
  if (!has_run_) {
    if (auto begun = inputs_->begin(); !begun) return end_replay(begun.error());
  }
  paused_ = false;
  has_run_ = true;
  running().state().pending &= ~u32{kPendingStop};
  debugger_->resuming();
  clock_->start();
  announce(MachineEvent::Resume);
  retry_disks();
}

void Machine::reset(ResetKind kind) {
  if (threads_) threads_->forget_reports();
  board_->reset(kind);
  carry_out_ejections();
  processors_->reset();
  powered_off_ = wake_requested_ = false;
  if (kind == ResetKind::Resume) return announce(MachineEvent::Wakeup);
  if (!options_.boot_once.empty()) {
    board_->set_boot_order(options_.boot_order.empty() ? BoardConfig{}.boot_order : options_.boot_order);
    options_.boot_once.clear();
  }
  announce(MachineEvent::Reset);
}

Result<> Machine::forked() {
  if (has_threads(options_))
    return Error{
        "-accel thread=multi: a process that is forked has the threads of its processors no more; say thread=single"};
  poller_.forked();
  take_small_pages(*store_);
  for (const auto& [drive, medium] : media_) {
    if (auto own = medium->forked(); !own) return Error{fmt::format("{}: {}", drive, own.message())};
  }
  return {};
}

void Machine::power_button() {
  board_->power_button();
  announce(MachineEvent::PowerButton);
}

std::string Machine::status() const {
  if (powered_off_) return "paused (shutdown)";
  if (hold_ == Hold::Incoming) return "paused (inmigrate)";
  if (hold_ == Hold::Migrated) return "paused (postmigrate)";
  if (migration_->status() == MigrationStatus::Device) return "paused (finish-migrate)";
  if (paused_ && stop_cause_ == StopCause::Watchdog) return "paused (watchdog)";
  if (paused_ && stop_cause_ == StopCause::Panic) return "paused (guest-panicked)";
  if (paused_ && stop_cause_ == StopCause::DiskError) return "paused (io-error)";
  if (board_->suspended() && !paused_) return "paused (suspended)";
  return !paused_ ? "running" : has_run_ ? "paused" : "paused (prelaunch)";
}

void Machine::finish(End end) {
  // With a debugger that can go back, the end of the recorded run is a place like others.
  if (travel_->enabled() && end != End::Quit && end != End::ReplayFailed) {
    at_replay_end_ = true;
    if (paused_ || retracing_) return;
    debugger_->expect_stop({DebugStop::Cause::ReplayEnd});
    return pause();
  }
  if (end_ == End::None) {
    end_ = end;
    announce(MachineEvent::Shutdown);
  }
  if (processors_) processors_->running().request(kPendingStop);
}

void Machine::request_reset() {
  reset_requested_ = true;
  processors_->running().request(kPendingStop);
}
void Machine::request_power_off() {
  power_off_requested_ = true;
  processors_->running().request(kPendingStop);
}
void Machine::request_exit(u32 exit_code) {
  if (end_ == End::None) debug_exit_code_ = exit_code;  // the first write is final
  finish(End::DebugExit);
}
void Machine::request_cpu_init() { processors_->request_init(); }

void Machine::request_suspend() { processors_->running().request(kPendingStop); }

void Machine::deadline_moved_earlier(GuestTime deadline) {
  if (!processors_) return;
  clock_->expect_event(deadline);
  if (threads_) {
    if (deadline < sleeps_until_) poller_.wake();
    // One that is due now ends the turn of the processor that has asked for it, which looks at the time before its next.
    constexpr GuestTime kNow = 1'000;  // a turn's end takes as long
    Vcpu& vcpu = processors_->running();
    if (vcpu.thread()->here() && deadline <= clock_->now() + kNow) vcpu.cpu().shorten_slice(0);
    return;
  }
  // In real time a slice is short anyway; an event that is due now ends it.
  if (clock_->deterministic() || deadline <= clock_->now() + kServeInterval) {
    const GuestTime now = clock_->now();
    processors_->shorten_run(deadline <= now ? 0 : clock_->budget(deadline));
  }
}

// --- End of the run ---

int Machine::exit_code() const {
  switch (end_) {
    case End::None:
    case End::Quit: return 0;
    case End::GuestPanic:
      if (options_.panic_action == Options::PanicAction::ExitFailure) return 1;
      [[fallthrough]];
    case End::Watchdog:
    case End::PowerOff:
    case End::Reset: return expectations_->expects() ? 3 : 0;
    case End::TripleFault: return 6;
    case End::DebugExit: return static_cast<int>(debug_exit_code_ & 0xFF);
    case End::ExpectationsMet: return 0;
    case End::FailureSeen: return 2;
    case End::TimeUp: return 4;
    case End::ReplayEnd: return 0;
    case End::ReplayFailed:
    case End::ArrivalFailed: return 1;
  }
  return 1;
}

std::string Machine::end_message() {
  const auto last_state = [&] {
    std::string text;
    for (const std::string& line : board_->text_screen()) text += line + "\n";
    const auto kept = text.find_last_not_of('\n');
    text.resize(kept == std::string::npos ? 0 : kept + 1);
    return fmt::format("--- last screen ---\n{}\n--- serial tail ---\n{}\n", text, expectations_->serial_tail());
  };
  switch (end_) {
    case End::TimeUp:
      return fmt::format("relic86: --timeout {}: time is up{}{}\n{}", options_.timeout_seconds,
                         expectations_->missing().empty() ? "" : "; not seen: ", expectations_->missing(),
                         last_state());
    case End::FailureSeen:
      return fmt::format("relic86: --fail-serial '{}': seen\n{}", expectations_->seen_text(), last_state());
    case End::GuestPanic:
    case End::Watchdog:
    case End::PowerOff:
    case End::Reset:
      if (!expectations_->expects()) return replay_report_;
      return fmt::format("relic86: the guest ended before it showed {}\n{}", expectations_->missing(), last_state());
    case End::TripleFault: return "relic86: the guest triple-faulted and -no-reboot was given\n" + replay_report_;
    case End::ArrivalFailed: return arrival_report_;
    default: return replay_report_;
  }
}

// --- State ---

void Machine::state(StateArchive& archive) {
  drain_disks();
  // The clock counts the processor's instructions; the events come last, because devices that load may schedule.
  archive.field("powered_off", powered_off_);
  archive.field("wake_requested", wake_requested_);
  processors_->state(archive);
  archive.group("clock", [&] { clock_->state(archive); });
  const Processors::Requests requests = processors_->requests();
  archive.group("board", [&] { board_->state(archive); });
  // Devices drive their lines while they load. What the processors saw of that in between is not their state; INTR is
  // what the interrupt controllers say in the end.
  if (archive.loading()) processors_->keep_all_but_intr(requests);
  archive.group("events", [&] { scheduler_->state(archive); });
}

Result<> Machine::load_state(std::span<const u8> saved) {
  RELIC86_ASSERT(paused_);
  // Going back drives the lines again, too: what was asked for before, and nothing else, still is.
  const Processors::Requests processor_requests = processors_->requests();
  const auto requests = std::make_tuple(reset_requested_, power_off_requested_);
  auto loaded = relic86::load_state(saved, [this](StateArchive& archive) { state(archive); });
  if (loaded) return loaded;
  processors_->set_requests(processor_requests);
  std::tie(reset_requested_, power_off_requested_) = requests;
  forget_derived();
  return loaded;
}

u64 Machine::state_hash() {
  StateHasher hasher;
  state(hasher);
  hasher.mix(store_->bytes(BackingOffset(0), store_->size()));
  return hasher.hash();
}

void Machine::forget_derived() {
  processors_->flush_tlbs();
  processors_->flush_code();
}

void Machine::after_load() {
  forget_derived();
  if (threads_) threads_->forget_reports();
  reset_requested_ = power_off_requested_ = false;
  processors_->forget_requests();
  follow_clock();
  audio_->restart(clock_->now());
  if (video_) video_->restart(clock_->now());
  keys_->forget();
  stop_cause_ = StopCause::Other;
}

}  // namespace relic86
