// Carries out a test's steps on a machine and finds out what became of it. One look at the machine between its slices;
// what is waited for is guest time, so that the result is the same on a fast host and a slow one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "batch/console.h"
#include "batch/program_loop.h"
#include "batch/progress_watch.h"
#include "batch/suite.h"
#include "display/screen_film.h"
#include "insight/symbol_table.h"
#include "machine/machine.h"

namespace relic86::batch {

class TestRun {
 public:
  // All of them outlive the run. The console is connected to the machine's COM1.
  TestRun(Machine& machine, Console& console, const TestPlan& test, const std::vector<SymbolTable>& symbols);

  // Until the last step is done, the machine has ended, or a rule says that it makes no sense to go on. The machine is
  // paused then, if it has not ended.
  Attempt run();
  // What the screen has shown in the meantime.
  ScreenFilm& film() { return film_; }

 private:
  bool look();  // true: there is a verdict
  bool look_at_pause();
  void note(MachineEvent event);
  void look_at_serial();
  void look_at_screen();
  void look_at_progress();
  void look_at_program();
  void look_at_limits();
  void begin_step();
  // Whether the present step is done. Waiting steps look for what they wait for, the others act when they begin.
  bool step_done();
  bool take_reset();
  bool memory_holds(const WaitMemory& wait);
  bool check_file(const CheckFile& check);
  bool failed(const std::string& why);  // of the present step; false
  bool act(const Step& step);           // false: it failed, and the verdict says so
  void advance();
  void met_end(End end);
  bool ends_as_wanted(End end) const;

  void decide(Outcome outcome, std::string detail);
  void decide_waiting(Outcome outcome, const std::string& why);  // with what was waited for
  void note_panic(std::string_view line, std::string_view medium);
  Activity activity(std::size_t screen);
  u64 used_memory();
  std::string place() const;  // where the processor is, by name; empty: nobody knows
  void film(std::size_t screen);
  GuestTime now() const { return machine_.clock().now(); }
  GuestTime since_start() const { return now() - started_; }

  Machine& machine_;
  Console& console_;
  const TestPlan& test_;
  const std::vector<SymbolTable>& symbols_;
  ProgressWatch progress_;
  ProgramLoop program_loop_;
  std::optional<GuestTime> program_quiet_since_;
  Attempt attempt_;
  bool decided_ = false;

  std::size_t step_ = 0;
  bool begun_ = false;  // the present step has acted
  GuestTime started_ = 0, step_started_ = 0;
  i64 host_started_ = 0;
  GuestTime next_look_ = 0, next_screen_ = 0, next_progress_ = 0;
  GuestTime next_count_ = 0;
  u64 used_memory_ = 0;     // pages, when they were counted last
  u64 searched_bytes_ = 0;  // of the console, by rules
  std::string screen_;      // what the text screen shows
  ScreenFilm film_;
  std::size_t filmed_ = 0;  // a hash of what was shown at the last look
  GuestTime next_shot_ = 0;
  std::string picture_why_;      // why the present picture is not the expected one
  std::string memory_why_;       // what stands where the present step looks
  unsigned resets_ = 0;          // by the guest, since the last step that was done
  std::optional<u64> reset_at_;  // the last reset that no step has waited for yet: where the console's text was then
  // A panic is told of when what the guest has to say about it is out.
  std::optional<std::string> panic_;
  std::string panic_line_;
  GuestTime panic_until_ = 0;
};

}  // namespace relic86::batch
