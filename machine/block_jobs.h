// Copies of disks that go on while the guest runs, as QEMU's clients know them: jobs with a name, a speed, and states
// of which they are told (docs/disks.md).
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "block/image_work.h"
#include "char/host_poller.h"
#include "machine/disk_turns.h"

namespace relic86 {

class Machine;

struct NewBlockJob {
  std::string id;
  std::string type;                 // QEMU's word: "commit", "mirror", "stream", "backup", "create"
  std::string drive;                // the drive whose medium it uses
  std::unique_ptr<ImageWork> work;  // null: there is nothing to do but to conclude
  std::string target_node{};        // the block node that is written to; empty: none
  std::shared_ptr<DiskImage> target{};
  u64 speed = 0;  // bytes a second at most; 0: no limit
  bool auto_finalize = true, auto_dismiss = true;
  // Goes on keeping source and target alike until it is told to end.
  bool mirrors = false;
  enum class OnError : u8 { Report, Stop } on_error = OnError::Report;
  // Images change places, with nothing under way; the follower is gone by then. abandoned: the job has failed, was
  // cancelled, or a mirror ends without a change.
  std::function<Result<>()> conclude;
  std::function<void()> abandon;
};

class BlockJobs final : private HostPoller::Source {
 public:
  enum class Status : u8 { Created, Running, Paused, Ready, Standby, Waiting, Pending, Aborting, Concluded, Null };
  static const char* name(Status status);

  struct Job {
    NewBlockJob plan;
    Status status = Status::Created;
    std::optional<std::string> error;
    u64 offset = 0, length = 0;  // at the end; before that the work says it
    bool cancelled = false;
    bool under_way = false;  // a piece of it
    bool wants_finish = false;
    i64 began = 0;   // host time, ns: since when the speed counts
    u64 copied = 0;  // since then

    bool paused() const { return status == Status::Paused || status == Status::Standby; }
    bool creates() const { return plan.type == "create"; }
  };
  // What clients are told of, while MachineEvent::Job is told.
  struct Told {
    enum class What : u8 { Status, Ready, Pending, Completed, Cancelled, Error } what;
    const Job* job;
  };

  BlockJobs(Machine& machine, HostPoller& poller);
  ~BlockJobs();

  Result<> start(NewBlockJob plan);
  const std::list<Job>& jobs() const { return jobs_; }
  const Job* find(const std::string& id) const;
  const Told& told() const { return told_; }
  // The job that writes to this node; null: none.
  const Job* of_target(const std::string& node) const;
  // Null: nothing is done with this drive.
  const Job* of_drive(const std::string& drive) const;
  // An error where a job uses the drive.
  Result<> allow_drive(const std::string& drive) const;
  // An error where a job of this name, or one with this drive, cannot begin. Empty drive: it needs none.
  Result<> allow_start(const std::string& id, const std::string& drive) const;
  // Why the machine cannot go elsewhere now. Mirrors that are ready may go on: the other machine's disk is their target.
  Result<> allow_leaving() const;
  // With the machine paused: what mirrors copy to is on the other side's disk.
  Result<> settle_mirrors();
  bool mirrors(const std::string& drive) const;

  Result<> set_speed(const std::string& id, u64 speed);
  Result<> pause(const std::string& id);
  Result<> resume(const std::string& id);
  // force: a mirror that is ready is given up, too; otherwise it ends well, and nothing changes places.
  Result<> cancel(const std::string& id, bool force);
  Result<> complete(const std::string& id);
  Result<> finalize(const std::string& id);
  Result<> dismiss(const std::string& id);

 private:
  void prepare(std::vector<pollfd>& fds, i64& timeout) override;
  void dispatch(std::span<const pollfd> fds, bool failed) override;

  Job* find_mutable(const std::string& id);
  Result<Job*> need(const std::string& id);
  DriveMedium* medium(const Job& job) const;
  static bool wants_turn(const Job& job);
  i64 wait_of(const Job& job) const;  // ns; 0: a piece may begin now
  void advance(Job& job);
  void piece_done(Job& job, const Result<>& result, u64 cost);
  void work_is_done(Job& job);
  void end_well(Job& job, bool changes_places);
  void fail(Job& job, const std::string& trouble);
  void give_up(Job& job);
  void stop_work(Job& job);
  void settle(Job& job, Told::What what);  // the end of either kind
  void set_status(Job& job, Status status);
  void tell(Told::What what, const Job& job);
  void forget_ended();

  Machine& machine_;
  HostPoller& poller_;
  DiskTurns turns_;
  std::list<Job> jobs_;
  Told told_{};
};

}  // namespace relic86
