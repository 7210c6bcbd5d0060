#include "machine/block_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "machine/host_time.h"
#include "machine/machine.h"

namespace relic86 {

namespace {

constexpr i64 kSecond = 1'000'000'000;
constexpr const char* kNames[] = {"created", "running", "paused",   "ready",     "standby",
                                  "waiting", "pending", "aborting", "concluded", "null"};

}  // namespace

const char* BlockJobs::name(Status status) { return kNames[static_cast<std::size_t>(status)]; }

BlockJobs::BlockJobs(Machine& machine, HostPoller& poller)
    : machine_(machine), poller_(poller), turns_(machine, poller) {
  poller_.add_source(this);
}

BlockJobs::~BlockJobs() {
  poller_.remove_source(this);
  for (Job& job : jobs_) {
    if (job.plan.work) stop_work(job);
  }
}

// --- Who is there ---

BlockJobs::Job* BlockJobs::find_mutable(const std::string& id) {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.plan.id == id; });
  return at == jobs_.end() ? nullptr : &*at;
}

const BlockJobs::Job* BlockJobs::find(const std::string& id) const {
  return const_cast<BlockJobs*>(this)->find_mutable(id);
}

Result<BlockJobs::Job*> BlockJobs::need(const std::string& id) {
  Job* const job = find_mutable(id);
  if (job == nullptr) return Error{"Job not found"};
  return job;
}

const BlockJobs::Job* BlockJobs::of_drive(const std::string& drive) const {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return job.plan.drive == drive && job.status != Status::Concluded && job.status != Status::Null;
  });
  return at == jobs_.end() ? nullptr : &*at;
}

const BlockJobs::Job* BlockJobs::of_target(const std::string& node) const {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(),
                               [&](const Job& job) { return job.plan.target && job.plan.target_node == node; });
  return at == jobs_.end() || node.empty() ? nullptr : &*at;
}

Result<> BlockJobs::allow_leaving() const {
  for (const Job& job : jobs_) {
    if (job.status == Status::Concluded || job.status == Status::Null) continue;
    if (job.plan.mirrors && job.status == Status::Ready) continue;
    return Error{fmt::format("job '{}' is at work on drive {}; wait for its end, or cancel it (block-job-cancel)",
                             job.plan.id, job.plan.drive)};
  }
  return {};
}

Result<> BlockJobs::settle_mirrors() {
  for (const Job& job : jobs_) {
    if (!job.plan.mirrors || !job.plan.work) continue;
    if (DriveMedium* const used = medium(job); used != nullptr) used->drain();
    if (auto flushed = job.plan.work->flush(); !flushed) return flushed;
  }
  return {};
}

bool BlockJobs::mirrors(const std::string& drive) const {
  const Job* const job = of_drive(drive);
  return job != nullptr && job->plan.mirrors;
}

Result<> BlockJobs::allow_drive(const std::string& drive) const {
  const Job* const job = drive.empty() ? nullptr : of_drive(drive);
  if (job == nullptr) return {};
  return Error{fmt::format("drive {} is in use by job '{}'; wait for its end, or cancel it", drive, job->plan.id)};
}

Result<> BlockJobs::allow_start(const std::string& id, const std::string& drive) const {
  if (auto idle = allow_drive(drive); !idle) return idle;
  if (id.empty()) return Error{"An explicit job ID is required for this node"};
  if (find(id) != nullptr) return Error{fmt::format("Job ID '{}' already in use", id)};
  return {};
}

DriveMedium* BlockJobs::medium(const Job& job) const {
  const auto at = machine_.media().find(job.plan.drive);
  return at == machine_.media().end() ? nullptr : at->second.get();
}

// --- Telling ---

void BlockJobs::tell(Told::What what, const Job& job) {
  told_ = {what, &job};
  machine_.tell_job();
}

void BlockJobs::set_status(Job& job, Status status) {
  if (job.status == status) return;
  job.status = status;
  tell(Told::What::Status, job);
}

// --- The way of a job ---

Result<> BlockJobs::start(NewBlockJob plan) {
  if (auto may = allow_start(plan.id, plan.drive); !may) return may;
  Job& job = jobs_.emplace_back();
  job.plan = std::move(plan);
  job.began = host_monotonic_ns();
  if (job.plan.work) {
    if (auto* const follower = job.plan.work->follower(); follower != nullptr) medium(job)->follow(follower);
  }
  tell(Told::What::Status, job);
  set_status(job, Status::Running);
  poller_.wake();
  return {};
}

i64 BlockJobs::wait_of(const Job& job) const {
  if (job.plan.speed == 0) return 0;
  const double due =
      static_cast<double>(job.copied) / static_cast<double>(job.plan.speed) * static_cast<double>(kSecond);
  return std::max<i64>(0, job.began + static_cast<i64>(due) - host_monotonic_ns());
}

// Whether dispatch() has something to do for it, at once or when its speed allows.
bool BlockJobs::wants_turn(const Job& job) {
  if (job.status == Status::Null) return true;
  if (job.under_way || (job.status != Status::Running && job.status != Status::Ready)) return false;
  if (job.error || job.wants_finish) return true;
  if (job.status == Status::Running) return !job.plan.work || !job.plan.work->only_follows();
  return !job.plan.work->exhausted();
}

void BlockJobs::prepare(std::vector<pollfd>&, i64& timeout) {
  for (const Job& job : jobs_) {
    if (!wants_turn(job)) continue;
    const i64 wait = wait_of(job);
    timeout = timeout < 0 ? wait : std::min(timeout, wait);
  }
}

void BlockJobs::dispatch(std::span<const pollfd>, bool) {
  for (Job& job : jobs_) advance(job);
  forget_ended();
}

void BlockJobs::advance(Job& job) {
  if (job.status == Status::Null || !wants_turn(job)) return;
  if (job.error) return fail(job, *job.error);
  if (!job.plan.work || job.plan.work->exhausted()) return work_is_done(job);
  if (wait_of(job) > 0) return;
  job.under_way = true;
  const auto cost = std::make_shared<u64>(0);
  ImageWork* const work = job.plan.work.get();
  medium(job)->run(
      [work, cost]() -> Result<> {
        auto stepped = work->step();
        if (!stepped) return stepped.error();
        *cost = stepped.value();
        return {};
      },
      [this, &job, cost](const Result<>& result) { piece_done(job, result, *cost); });
}

// Called while queues are drained, too: what comes next waits for dispatch().
void BlockJobs::piece_done(Job& job, const Result<>& result, u64 cost) {
  job.under_way = false;
  job.copied += cost;
  poller_.wake();
  // What a server has not answered while the machine had to stand still is tried again.
  const DriveMedium* const used = medium(job);
  if (result || (used != nullptr && used->interruption()->used())) return;
  switch (job.plan.on_error) {
    case NewBlockJob::OnError::Report: job.error = result.message(); return;
    case NewBlockJob::OnError::Stop:
      tell(Told::What::Error, job);
      set_status(job, job.status == Status::Ready ? Status::Standby : Status::Paused);
      return;
  }
}

void BlockJobs::work_is_done(Job& job) {
  if (!job.plan.mirrors) return end_well(job, true);
  if (job.status == Status::Running) {
    set_status(job, Status::Ready);
    tell(Told::What::Ready, job);
  }
  if (std::exchange(job.wants_finish, false)) end_well(job, true);
}

void BlockJobs::stop_work(Job& job) {
  DriveMedium* const used = medium(job);
  if (used != nullptr) used->drain();
  if (!job.plan.work) return;
  if (auto* const follower = job.plan.work->follower(); follower != nullptr && used != nullptr)
    used->unfollow(follower);
}

void BlockJobs::end_well(Job& job, bool changes_places) {
  set_status(job, Status::Waiting);
  if (!changes_places) {
    job.plan.conclude = [abandon = job.plan.abandon]() -> Result<> {
      if (abandon) abandon();
      return {};
    };
  }
  set_status(job, Status::Pending);
  if (!job.plan.auto_finalize) return tell(Told::What::Pending, job);
  (void)finalize(job.plan.id);
}

Result<> BlockJobs::finalize(const std::string& id) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (job.status != Status::Pending)
    return Error{fmt::format("Job '{}' in state '{}' cannot accept command verb 'finalize'", id, name(job.status))};
  if (DriveMedium* const used = medium(job); used != nullptr) used->drain();
  Result<> result;
  if (job.plan.work) {
    job.offset = job.plan.work->done();
    job.length = job.plan.work->total();
    result = job.plan.work->flush();
  }
  stop_work(job);
  job.plan.work.reset();
  if (result && job.plan.conclude) result = job.plan.conclude();
  if (!result) {
    fail(job, result.message());
    return {};
  }
  settle(job, Told::What::Completed);
  return {};
}

void BlockJobs::fail(Job& job, const std::string& trouble) {
  job.error = trouble;
  give_up(job);
}

void BlockJobs::give_up(Job& job) {
  stop_work(job);
  if (job.plan.work) {
    job.offset = job.plan.work->done();
    job.length = job.plan.work->total();
  }
  job.plan.work.reset();
  job.plan.target.reset();
  set_status(job, Status::Aborting);
  if (job.plan.abandon) job.plan.abandon();
  settle(job, job.cancelled ? Told::What::Cancelled : Told::What::Completed);
}

void BlockJobs::settle(Job& job, Told::What what) {
  // Images that nobody uses any more are closed.
  job.plan.target.reset();
  job.plan.conclude = {};
  job.plan.abandon = {};
  if (!job.creates()) tell(what, job);
  set_status(job, Status::Concluded);
  if (!job.plan.auto_dismiss) return;
  set_status(job, Status::Null);
  poller_.wake();
}

void BlockJobs::forget_ended() {
  jobs_.remove_if([](const Job& job) { return job.status == Status::Null; });
}

// --- Commands ---

Result<> BlockJobs::set_speed(const std::string& id, u64 speed) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  job.plan.speed = speed;
  job.began = host_monotonic_ns();
  job.copied = 0;
  poller_.wake();
  return {};
}

Result<> BlockJobs::pause(const std::string& id) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (job.status == Status::Running) {
    set_status(job, Status::Paused);
  } else if (job.status == Status::Ready) {
    set_status(job, Status::Standby);
  } else {
    return Error{fmt::format("Job '{}' in state '{}' cannot accept command verb 'pause'", id, name(job.status))};
  }
  return {};
}

Result<> BlockJobs::resume(const std::string& id) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (!job.paused()) return Error{"Can't resume a job that was not paused"};
  set_status(job, job.status == Status::Paused ? Status::Running : Status::Ready);
  job.began = host_monotonic_ns();
  job.copied = 0;
  poller_.wake();
  return {};
}

Result<> BlockJobs::cancel(const std::string& id, bool force) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (job.status == Status::Concluded || job.status == Status::Null)
    return Error{fmt::format("Job '{}' in state '{}' cannot accept command verb 'cancel'", id, name(job.status))};
  const bool ready = job.status == Status::Ready || job.status == Status::Standby;
  if (ready && !force) {
    end_well(job, false);
    return {};
  }
  job.cancelled = true;
  give_up(job);
  return {};
}

Result<> BlockJobs::complete(const std::string& id) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (!job.plan.mirrors || job.status != Status::Ready)
    return Error{fmt::format("Job '{}' in state '{}' cannot accept command verb 'complete'", id, name(job.status))};
  job.wants_finish = true;
  poller_.wake();
  return {};
}

Result<> BlockJobs::dismiss(const std::string& id) {
  auto found = need(id);
  if (!found) return found.error();
  Job& job = *found.value();
  if (job.status != Status::Concluded)
    return Error{fmt::format("Job '{}' in state '{}' cannot accept command verb 'dismiss'", id, name(job.status))};
  set_status(job, Status::Null);
  poller_.wake();
  return {};
}

}  // namespace relic86
