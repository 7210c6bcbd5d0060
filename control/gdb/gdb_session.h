// One conversation with gdb: the commands of the remote serial protocol (GDB manual, appendix E) on a machine. Knows no
// sockets; anything may be received.
#pragma once

#include <string>
#include <string_view>

#include "control/gdb/gdb_packets.h"
#include "machine/machine.h"
#include "machine/time_travel.h"

namespace relic86 {

class GdbSession {
 public:
  // send: bytes to gdb. The machine outlives the session.
  GdbSession(Machine& machine, std::function<void(std::string_view)> send);
  ~GdbSession();
  GdbSession(const GdbSession&) = delete;
  GdbSession& operator=(const GdbSession&) = delete;

  // A client has come: the machine pauses. It has gone: points are removed, the machine goes on.
  void attach();
  void leave();
  void receive(u8 byte) { packets_.receive(byte); }

 private:
  using Text = std::string_view;
  struct Command {
    Text name;
    void (GdbSession::*run)(Text arguments);
  };
  static const Command kCommands[];  // by the longest prefix first

  void packet(const std::string& data);
  void interrupt();
  void reply(Text data) { packets_.send(data); }
  void error() { reply("E22"); }  // EINVAL

  // --- gdb_session.cpp: running and stopping ---
  void report_stop(const DebugStop& stop);
  std::string describe(const DebugStop& stop) const;  // a stop reply
  void report_end(int exit_code);
  void go_to(u64 address);  // where the next instruction is
  void resume();
  void why_stopped(Text);
  void go_on(Text arguments);
  void step(Text arguments);
  void go_on_with_signal(Text arguments);
  void step_with_signal(Text arguments);
  void v_cont(Text arguments);
  struct Action {
    char kind = 'c';          // c: go on; r: step while in the range, once if it is empty
    u64 first = 0, last = 0;  // the range
  };
  static std::optional<Action> action(Text text);
  void v_cont_query(Text) { reply("vCont;c;C;s;S;r"); }
  void step_back(Text) { go_back(TimeTravel::Wish::StepBack); }
  void run_back(Text) { go_back(TimeTravel::Wish::RunBack); }
  void go_back(TimeTravel::Wish wish);
  void insert_point(Text arguments) { change_point(arguments, true); }
  void remove_point(Text arguments) { change_point(arguments, false); }
  void change_point(Text arguments, bool insert);
  void detach(Text);
  void kill(Text);
  void v_kill(Text);
  void v_attach(Text) { why_stopped(""); }  // it has been attached since it connected
  void restart(Text);
  void extended(Text) { reply("OK"); }

  // --- gdb_data.cpp: registers, memory, queries ---
  void read_registers(Text);
  void write_registers(Text arguments);
  void read_register(Text arguments);
  void write_register(Text arguments);
  void read_memory(Text arguments);
  void write_memory(Text arguments);
  void write_binary(Text arguments);
  bool store(u64 address, std::span<const u8> bytes);
  void set_thread(Text arguments);
  void thread_alive(Text arguments);
  void supported(Text arguments);
  void transfer_features(Text arguments);
  // Processors are threads, counted from 1, of process 1 for a gdb that tells processes apart.
  std::string thread_id(unsigned processor) const;      // in stop replies
  std::string listed_thread(unsigned processor) const;  // in answers to queries
  struct ThreadName {
    bool any = false;        // 0: any; -1: all
    unsigned processor = 0;  // of one
  };
  std::optional<ThreadName> take_thread(Text& text) const;  // nothing: no such thread
  void current_thread(Text);
  void first_threads(Text);
  void more_threads(Text) { reply("l"); }
  void thread_name(Text arguments);
  void attached(Text) { reply("1"); }
  void symbols(Text) { reply("OK"); }
  void monitor_command(Text arguments);
  void no_acknowledgements(Text);
  void step_bits(Text) { reply("ENABLE=1,NOIRQ=2,NOTIMER=4"); }
  void step_flags(Text) { reply(machine_.debugger().masks_interrupts() ? "0x7" : "0x1"); }
  void set_step_flags(Text arguments);
  void memory_mode(Text) { reply(physical_ ? "1" : "0"); }
  void set_memory_mode(Text arguments);

  Machine& machine_;
  GdbPackets packets_;
  std::optional<DebugStop> stop_;  // the last one since gdb came
  unsigned thread_ = 0;            // the processor of Hg: registers and memory
  unsigned resumed_ = 0;           // of Hc: what s steps
  bool attached_ = false;
  bool waiting_ = false;       // gdb waits for a stop reply
  bool multiprocess_ = false;  // gdb writes threads as pPROCESS.THREAD
  bool physical_ = false;      // memory packets name physical addresses
};

}  // namespace relic86
