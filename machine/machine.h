// A whole PC: composition root of processor, memory, board, clock and engine. Knows no display library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio/audio_system.h"
#include "block/block_workers.h"
#include "char/char_backend.h"
#include "char/host_poller.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/executor.h"
#include "devices/board/pc_board.h"
#include "devices/host_sinks.h"
#include "devices/scheduler.h"
#include "display/picture.h"
#include "machine/debugger.h"
#include "machine/expectations.h"
#include "machine/guest_input.h"
#include "machine/host_random.h"
#include "machine/key_sender.h"
#include "machine/machine_clock.h"
#include "machine/processors.h"
#include "machine/serial_tee.h"
#include "machine/speed_limit.h"
#include "net/network.h"
#include "options/options.h"
#include "snapshot/saved_drives.h"

namespace relic86 {

class BlockJobs;
class DiskExports;
class GuestInputs;
class IncomingMigration;
class Migration;
class RecordedSink;
class ProcessorThreads;
class RemoteDisplay;
class RetraceSleep;
class SharedThreadTime;
class TimeTravel;
class VideoRecorder;
struct KeptState;

// Why a run ended.
enum class End : u8 {
  None,
  PowerOff,         // the guest powered off (ACPI)
  Quit,             // monitor quit, window closed, signal
  Reset,            // a guest-made reset with -no-reboot
  TripleFault,      // the same, made by a triple fault
  DebugExit,        // isa-debug-exit
  ExpectationsMet,  // every --expect-* seen
  FailureSeen,      // --fail-serial matched
  TimeUp,           // --timeout
  ReplayEnd,        // what was recorded has been replayed
  ReplayFailed,     // the run is not the recorded one
  ArrivalFailed,    // the machine that was to come (-incoming) did not
  Watchdog,         // a watchdog that powers off
  GuestPanic,       // a panic of the guest that ends the run
};

// What clients of the machine protocol (QMP) are told of.
enum class MachineEvent : u8 {
  Stop,
  Resume,
  Reset,
  Shutdown,
  PowerButton,
  Suspend,
  Wakeup,
  TrayMoved,
  BalloonChange,
  DeviceDeleted,
  Watchdog,
  GuestPanicked,
  Migration,
  Job,
  DumpCompleted,
  RemoteDisplay,
  DiskFailed,
  ExportDeleted
};

// A character device, for query-chardev and info chardev.
struct CharDeviceInfo {
  std::string label;     // "serial0", the id of a -chardev
  std::string filename;  // where its bytes go, as QEMU words it: "pty:/dev/pts/3"
  bool in_use = false;   // a port or a monitor is connected to it
};

class Machine final : private MachineControl, private Scheduler::Listener {
 public:
  // Builds the machine that the options describe and resets it. The poller must outlive it.
  static Result<std::unique_ptr<Machine>> create(const Options& options, HostPoller& poller);
  ~Machine();

  // Runs on the calling thread until the machine ends.
  End run();
  // Runs until this many instructions have been executed since power-on, the machine has ended or is paused, or its
  // processors have slept for `longest_halt` nanoseconds of guest time. For -icount: engines are compared at such
  // points.
  End run_to(u64 limit, GuestTime longest_halt = 10'000'000'000);
  // As run(), but returns, too, when `done` says so, which is asked between slices: after each millisecond of guest
  // time at the latest, and before the guest goes on after an event of a device.
  End run_until(const std::function<bool()>& done);
  // What main() returns for how the run ended (docs: interface, exit codes).
  int exit_code() const;
  // What to tell the user on stderr about the end; empty when there is nothing to say.
  std::string end_message();

  // --- Requests; call them on the machine's thread (HostPoller callbacks, tasks). What changes something that the
  // guest sees goes through inputs() (input::Reset, input::PowerButton, input::Medium ..), which calls these. ---
  void pause();
  void resume();
  // run() begins paused, as with -S.
  void hold_start() { options_.start_paused = true; }
  bool paused() const { return paused_; }
  // A triple fault ends the run as with -no-reboot, although other resets are carried out.
  void end_at_triple_fault(bool on) { ends_at_triple_fault_ = on; }
  // The run is over: nothing of the guest is executed any more.
  bool ended() const { return end_ != End::None; }
  void reset(ResetKind kind = ResetKind::Hard);
  void quit() { finish(End::Quit); }
  void power_button();
  void wake() { board_->wake(); }  // system_wakeup
  // Rather than to end: what a panic of the guest leads to, unless that is nothing.
  bool pauses_at_panic() const;
  // "running", "paused", ... as info status says it.
  std::string status() const;
  // Why it was paused last, until it goes on. PowerOff: with -no-shutdown. Other: somebody asked for it.
  enum class StopCause : u8 { Other, Watchdog, Panic, DiskError, PowerOff };
  StopCause stop_cause() const { return powered_off_ ? StopCause::PowerOff : stop_cause_; }

  // Called on the machine's thread when such a thing has happened. The listener lives as long as the machine runs.
  void on_event(std::function<void(MachineEvent)> listener) { listeners_.push_back(std::move(listener)); }
  void forget_listeners() { listeners_.clear(); }
  // Why the run ended; None while it lasts.
  End end() const { return end_; }
  bool reset_by_guest() const { return reset_by_guest_; }  // while MachineEvent::Reset is told
  // While MachineEvent::TrayMoved is told.
  struct TrayMove {
    std::string drive;      // its name in drives()
    std::string device_id;  // id= of its -device; may be empty
    bool open = false;
  };
  const TrayMove& tray_move() const { return tray_move_; }
  // The last one.
  struct DiskFailure {
    std::string drive;  // its name in drives()
    DriveMedium::Failure failure;
  };
  const DiskFailure& disk_failure() const { return disk_failure_; }
  // While MachineEvent::DeviceDeleted is told: its id.
  const std::string& deleted_device() const { return deleted_device_; }

  // A device on USB, or a card of the PCI bus, comes. Errors give cause and mend.
  Result<> plug(const DeviceOption& device);
  // By its id: a USB device goes, with all that hangs on it; the guest is asked to let go of a card.
  Result<> unplug(const std::string& id);
  // Of -drive if=none, or as the monitor's drive_add: a drive that waits for its device.
  Result<> add_drive(const std::string& words);
  // As drive_del: one that waits goes; one that a device has loses its image, and accesses of the guest's fail.
  Result<> remove_drive(const std::string& id);

  // Safe from any thread: runs the task on the machine's thread, between two instructions.
  void post(std::function<void()> task);
  // Called about every frame of guest time (16.7 ms) on the machine's thread: the window copies the picture.
  void on_frame(std::function<void()> callback) { frame_callback_ = std::move(callback); }

  // Called on the machine's thread between two instructions, each `interval` nanoseconds of guest time; `intervals`:
  // how many have passed since the last call, more than one where the processors have slept, which is not cut short for
  // it. The guest sees nothing of it.
  using Sampler = std::function<void(u64 intervals)>;
  void on_sample(GuestTime interval, Sampler sampler);

  const Options& options() const { return options_; }
  // -action reboot= and shutdown=, changed while the machine runs.
  void end_at_reset(bool on) { options_.no_reboot = on; }
  void pause_at_power_off(bool on) { options_.no_shutdown = on; }
  // -action watchdog= and panic=, changed while the machine runs.
  void set_watchdog_action(Options::WatchdogAction action) { options_.watchdog_action = action; }
  void set_panic_action(Options::PanicAction action) { options_.panic_action = action; }
  // --on-close, decided anew.
  void set_on_close(Options::OnClose what) { options_.on_close = what; }
  // The processor's speed in real time, which a slower one of the past can be (machine/speed_limit.h).
  SpeedLimit& speed_limit() { return speed_limit_; }
  // -blockdev and -object; the monitor's commands add to them and take away.
  std::vector<BlockNode>& block_nodes() { return options_.block_nodes; }
  std::vector<ObjectOption>& objects() { return options_.objects; }
  Processors& processors() { return *processors_; }
  // Instructions carried out since power-on, by all processors.
  u64 instruction_count() const { return processors_->instruction_count(); }
  // The processor that commands and debuggers look at, and its engine.
  Cpu& cpu() { return (*processors_)[looked_at_].cpu(); }
  Executor& engine() { return (*processors_)[looked_at_].engine(); }
  unsigned looked_at() const { return looked_at_; }
  void look_at(unsigned processor) { looked_at_ = processor; }
  PcBoard& board() { return *board_; }
  MachineClock& clock() { return *clock_; }
  Scheduler& scheduler() { return *scheduler_; }
  net::Network& network() { return *network_; }
  PhysicalBus& bus() { return *bus_; }
  IoSpace& io() { return *io_; }
  KeySender& keys() { return *keys_; }
  // Where everything goes that is to reach the guest from outside.
  GuestInputs& inputs() { return *inputs_; }
  // The way back in a replay.
  TimeTravel& travel() { return *travel_; }
  // For it, while paused: the present state, and the way back to one; before: an earlier one, which it shares with.
  Result<std::shared_ptr<const KeptState>> keep(const KeptState* before);
  Result<> put_back(const KeptState& state);
  // Runs forward to this instruction, without a word to anybody. False: the machine was paused or has ended on the way.
  bool retrace(u64 instructions);
  Debugger& debugger() { return *debugger_; }
  // The one picture of the screen that everybody looks at.
  Picture& picture() { return picture_; }
  // Host sound: drivers that the machine does not know itself are connected to it before the run.
  AudioSystem& audio() { return *audio_; }
  // Records screen and sound from now on into an AVI file; an empty path ends the recording.
  Result<> record_video(const std::string& path);
  std::string video() const;  // the file that is recorded into; empty: none

  // --- Wiring of character devices; the backends outlive the machine's run. ---
  void add_backend(CharBackend* backend) { backends_.push_back(backend); }
  void note_char_device(CharDeviceInfo device) { char_devices_.push_back(std::move(device)); }
  const std::vector<CharDeviceInfo>& char_devices() const { return char_devices_; }
  void connect_serial(unsigned port, CharBackend* backend);
  void connect_parallel(unsigned port, CharBackend* backend);
  // A port of a virtio console, in the order of the -device options.
  void connect_virtio_port(std::size_t port, CharBackend* backend);
  void connect_midi(CharBackend* backend);
  void connect_debug_console(CharBackend* backend) { debug_console_.next = output_line(backend); }

  // Listens for gdb on a character device, as -gdb names it ("tcp::1234", "unix:PATH", "stdio"), instead of where it
  // did before; "none": nowhere. The protocol is known above the machine: whoever owns the server provides it.
  using GdbService = std::function<Result<>(const std::string& device)>;
  void provide_gdb(GdbService service) { gdb_service_ = std::move(service); }
  Result<> serve_gdb(const std::string& device);
  // Whoever owns the remote display provides it, for as long as the machine runs. Null: there is none.
  void provide_remote_display(RemoteDisplay* display) { remote_display_ = display; }
  RemoteDisplay* remote_display() { return remote_display_; }
  void tell_remote_display() { announce(MachineEvent::RemoteDisplay); }

  // Puts another medium into a drive ("floppy0", "ide1-cd0"), or takes it out.
  Result<> change_medium(const std::string& device, const MediumChange& change);
  // The tray of a CD-ROM drive, with what is in it.
  Result<> open_tray(const std::string& drive, bool force);
  Result<> close_tray(const std::string& drive);
  std::string describe_drives();
  Result<> flush_disks();
  // The drives in the order of info block: their names, and whether they are removable.
  struct Drive {
    std::string name;  // "ide0-hd0", "floppy0"
    std::string id;    // the user's name for it (-drive id=); may be empty
    bool removable = false;
    bool locked = false;
    bool tray_open = false;
    std::string device_id{};  // of its -device; may be empty
    std::string node{};       // the block node in it; empty: none, or an image without a name
  };
  std::vector<Drive> drives();
  // The drive with this name, -drive id or -device id; null: none.
  std::optional<Drive> find_drive(const std::string& name);
  // The media in the drives, by drive ("ide0-hd0", "floppy0").
  const DriveMedia& media() const { return media_; }

  // Another block node is in a drive from now on.
  void put_node(const std::string& drive, const std::string& node);
  // Copies of disks that go on while the guest runs (docs/disks.md).
  BlockJobs& block_jobs() { return *block_jobs_; }
  void tell_job() { announce(MachineEvent::Job); }
  void tell_dump() { announce(MachineEvent::DumpCompleted); }  // dump-guest-memory with detach

  // Requests to a medium are carried out while the guest goes on.
  void serve_medium(const std::shared_ptr<DriveMedium>& medium);
  // What programs on other machines read and write of the disks (docs/disks.md).
  DiskExports& exports() { return *exports_; }
  void tell_export() { announce(MachineEvent::ExportDeleted); }

  // --- Migration (docs/migration.md) ---
  Migration& migration() { return *migration_; }
  // Null: the machine does not wait for another one.
  IncomingMigration* incoming() { return incoming_.get(); }
  // Descriptors by the names that clients gave them; the machine owns them. Taking: -1: there is no such name.
  void keep_descriptor(const std::string& name, int fd);
  int take_descriptor(const std::string& name);
  // Images that are written to belong to the other program, and come back.
  Result<> release_disks();
  Result<> acquire_disks();
  // For the migrations themselves: it has gone, it is here, it did not come.
  void note_migrated() { hold_ = Hold::Migrated; }
  void note_arrived(bool runs);
  void fail_arrival(const std::string& trouble);
  void tell_migration() { announce(MachineEvent::Migration); }

  // In a process that has just been forked, with the machine paused: what a process cannot share with the one that it
  // was gets a new place, so that each goes on for itself. The machine has to have been made for it: its translator
  // with -jit-opt +one-mapping, what the guest writes in overlays (-snapshot), no connections to the host.
  Result<> forked();
  // The host's number for the thread that runs this processor. Where each has its own, they are made by now.
  pid_t host_thread_of(unsigned processor);
  // Interrupts taken since power-on (INTA cycles), for those who watch whether a guest gets anywhere.
  u64 interrupts_taken() const { return processors_->interrupts_taken(); }

  // Everything architectural by name, guest memory excepted.
  void state(StateArchive& archive);
  // Loads all of it, or none: a state that no machine like this one can be in is refused by the field's name, and the
  // machine is as it was. Only while paused. Memory comes next, then after_load().
  Result<> load_state(std::span<const u8> saved);
  // Hash of the whole machine: state() and the contents of all memory.
  u64 state_hash();
  // Drops what is derived from state and memory: TLB, decoded and translated code.
  void forget_derived();
  // After state() and memory were loaded: derived caches are dropped, running engine and displays see the new machine.
  void after_load();

 private:
  Machine(const Options& options, HostPoller& poller);
  Result<> build();
  Result<> await_arrival();
  void note_nodes();  // the block nodes in the drives
  Result<> plug_usb(const DeviceOption& device);
  Result<> plug_disk(const DeviceOption& device);
  Result<> plug_network_card(const DeviceOption& device);
  Result<> plug_other(const DeviceOption& device);
  void forget_device(const std::string& id);
  void carry_out_ejections();
  void carry_out_watchdog();
  void carry_out_panic();
  void announce(MachineEvent event);
  void watch_failures(const std::string& drive, DriveMedium& medium);
  void disk_failed(const DiskFailure& failure);
  void retry_disks();  // what failures of the host's have stopped
  void drain_disks();
  void note_medium(const std::string& drive, std::shared_ptr<DriveMedium> medium);
  AtapiCdrom* find_cdrom(const std::string& drive);  // null: no CD-ROM drive
  void tell_tray(const std::string& drive, bool open);

  // MachineControl: called by devices in the middle of an instruction; carried out before the next one.
  void request_reset() override;
  void request_power_off() override;
  void request_exit(u32 exit_code) override;
  void request_cpu_init() override;
  void request_suspend() override;
  void request_wake() override { wake_requested_ = true; }
  void watchdog_expired() override;
  void guest_panicked() override;
  // Scheduler::Listener
  void deadline_moved_earlier(GuestTime deadline) override;

  Cpu& running() { return processors_->running().cpu(); }
  void finish(End end);
  Result<> apply(const GuestInput& input);
  GuestMoment moment() const;
  u32 register_sum() const;
  void carry_out_events();  // that are due
  // Whether two runs can be alike: no disk keeps what the first one writes.
  Result<> check_recordable() const;
  void pass_stride();
  void replay();
  void end_replay(const Error& failure);
  void close_inputs();  // at the end of the run
  CharSource& input_line(u32 number, CharSource& device);
  CharSink* output_line(CharSink* sink);
  void serve_host();     // host input, posted tasks, expectations, time limit
  void turn(u64 limit);  // one look at the host and one slice, that ends at this instruction count at the latest
  void run_slice(u64 limit);
  void sleep_until_retrace();
  void sleep_in_real_time(i64 guest_nanoseconds);
  void run_step();  // for a debugger
  // With has_threads(), machine/machine_threads.cpp.
  void make_threads();
  void end_threads();
  void turn_of_threads();
  void run_threads();
  bool act_on_reports();  // of the processors' threads; false: there were none
  void look_at_time();    // on any of the threads
  void stop_threads();    // all processors stand; nothing to do where they share this thread
  void serve_descriptors();
  void carry_out_tasks();
  void act_on(ExitReason reason);
  void idle();  // HLT: sleep until the next event or host input
  void carry_out_requests();
  void check_expectations();
  void serve_input();           // what was typed and received goes on to the devices that can take it
  GuestTime next_stop() const;  // the earliest of: next event, next check of expectations, time limit
  void take_sample();
  void follow_clock();  // which a loaded state has set

  Options options_;
  HostPoller& poller_;
  SpeedLimit speed_limit_;
  std::unique_ptr<BackingStore> store_;
  std::unique_ptr<PhysicalBus> bus_;
  std::unique_ptr<IoSpace> io_;
  std::unique_ptr<MachineClock> clock_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<BlockWorkers> disk_workers_;  // null: the guest waits for its disks
  DriveMedia media_;
  std::string deleted_device_;
  HostRandom random_;
  std::unique_ptr<net::Network> network_;  // outlives the cards on the board
  std::unique_ptr<AudioSystem> audio_;     // outlives the cards that play
  std::unique_ptr<PcBoard> board_;
  std::unique_ptr<Processors> processors_;
  unsigned looked_at_ = 0;
  std::unique_ptr<RetraceSleep> retrace_sleep_;  // null: the guest's looks are not to be told from others
  std::unique_ptr<Debugger> debugger_;
  std::unique_ptr<GuestInputs> inputs_;
  std::unique_ptr<TimeTravel> travel_;
  std::map<std::string, int> descriptors_;
  std::unique_ptr<Migration> migration_;
  std::unique_ptr<IncomingMigration> incoming_;
  std::string arrival_report_;
  u64 passed_stride_ = ~u64{0};             // the instruction at which the TLB was dropped last
  bool retracing_ = false;                  // retrace() runs
  bool at_replay_end_ = false;              // paused where the recorded run ended
  std::map<u32, CharSource*> input_lines_;  // the devices that input::Byte names
  GuestMoment last_look_;                   // when due events were carried out last, and how often then
  std::string replay_report_;               // of the end of a replay
  std::unique_ptr<KeySender> keys_;
  std::vector<CharBackend*> backends_;
  std::vector<CharDeviceInfo> char_devices_;
  std::map<std::string, std::string> drive_nodes_;  // the block node in a drive, by the drive's name
  TrayMove tray_move_;
  DiskFailure disk_failure_;
  std::unique_ptr<Expectations> expectations_;
  GdbService gdb_service_;
  RemoteDisplay* remote_display_ = nullptr;

  // The board is built before its backends are opened.
  struct LateSink final : CharSink {
    void put(u8 byte) override {
      if (next != nullptr) next->put(byte);
    }
    CharSink* next = nullptr;
  };
  LateSink debug_console_;
  std::unique_ptr<SerialTee> serial_tee_;
  std::vector<std::unique_ptr<RecordedSink>> output_lines_;
  struct Tasks;
  std::unique_ptr<Tasks> tasks_;
  std::function<void()> frame_callback_;
  Sampler sampler_;
  GuestTime sample_interval_ = 0;
  GuestTime next_sample_ = Scheduler::kNever;
  std::vector<std::function<void(MachineEvent)>> listeners_;
  Picture picture_;
  void record_picture(GuestTime now);
  std::unique_ptr<VideoRecorder> video_;

  End end_ = End::None;
  u32 debug_exit_code_ = 0;
  bool ends_at_triple_fault_ = false;
  bool paused_ = true;
  // Why nothing may run here: the machine is on its way, or has gone.
  enum class Hold : u8 { None, Incoming, Migrated } hold_ = Hold::None;
  bool has_run_ = false;      // false: still waits as -S asks
  bool powered_off_ = false;  // with -no-shutdown
  bool reset_requested_ = false;
  bool reset_by_guest_ = false;
  bool power_off_requested_ = false;
  bool wake_requested_ = false;  // out of suspend to RAM
  bool ejected_ = false;         // cards, by the guest
  bool watchdog_expired_ = false, guest_panicked_ = false;
  StopCause stop_cause_ = StopCause::Other;
  i64 last_served_ = 0;       // host time of the last look at host input
  i64 host_deadline_ = 0;     // --timeout in host time; 0: none
  GuestTime next_check_ = 0;  // expectations
  GuestTime next_frame_ = 0;
  std::unique_ptr<ProcessorThreads> threads_;
  std::unique_ptr<SharedThreadTime> shared_time_;  // several processors on this thread, in real time
  GuestTime sleeps_until_ = 0;                     // with threads: the machine's
  std::unique_ptr<BlockJobs> block_jobs_;          // goes first: it uses the media
  std::unique_ptr<DiskExports> exports_;           // as the jobs do
};

// The machine's commands look at this processor as long as the guard lives, then at the one that they looked at before.
class LookAt {
 public:
  LookAt(Machine& machine, unsigned processor) : machine_(machine), before_(machine.looked_at()) {
    machine.look_at(processor);
  }
  ~LookAt() { machine_.look_at(before_); }
  LookAt(const LookAt&) = delete;
  LookAt& operator=(const LookAt&) = delete;

 private:
  Machine& machine_;
  unsigned before_;
};

}  // namespace relic86
