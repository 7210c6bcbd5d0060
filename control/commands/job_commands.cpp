// Jobs with disks: copies that go on while the guest runs (docs/disks.md).
#include <fmt/format.h>

#include <algorithm>

#include "block/image_chain.h"
#include "block/qcow2_new.h"
#include "control/commands/block_nodes.h"
#include "control/commands/command.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"
#include "options/backing_node.h"

namespace relic86 {

namespace {

using Access = HostFile::Access;

// What most of them have in common.
NewBlockJob new_job(const Arguments& arguments, const char* type, const DriveImages& images) {
  NewBlockJob plan;
  plan.type = type;
  plan.drive = images.drive.name;
  plan.id = arguments.text("job-id", arguments.text("device"));
  plan.speed = arguments.number("speed");
  plan.auto_finalize = arguments.flag("auto-finalize", true);
  plan.auto_dismiss = arguments.flag("auto-dismiss", true);
  // What fails is tried again and never left out: "ignore" reports, too.
  for (const char* name : {"on-error", "on-source-error", "on-target-error"}) {
    const std::string word = arguments.text(name, "report");
    if (word == "stop" || word == "enospc") plan.on_error = NewBlockJob::OnError::Stop;
  }
  return plan;
}

CommandReply begin(Machine& machine, NewBlockJob plan) {
  const auto abandon = plan.abandon;
  auto begun = machine.block_jobs().start(std::move(plan));
  if (begun) return Json::object();
  if (abandon) abandon();
  return begun;
}

// An image of the chain by its node or file; none if neither is given.
Result<std::optional<std::size_t>> named_image(Machine& machine, const DriveImages& images, const Arguments& arguments,
                                               const char* node, const char* file) {
  if (!arguments.has(node) && !arguments.has(file)) return std::optional<std::size_t>();
  const std::string name = arguments.text(arguments.has(node) ? node : file);
  const auto index = arguments.has(node) ? index_of_node(machine, images, name) : index_of_file(images, name);
  if (!index) return Error{fmt::format("'{}' is not in the backing chain of '{}'", name, images.drive.name)};
  return index;
}

// Where an image between `over` and `end` is shorter than both, it hides what `end` holds beyond it, which would show once
// it is gone.
Result<> hides_nothing(const DriveImages& images, std::size_t over, std::size_t end) {
  const auto below = chain_place(images.top, end).image;
  if (!below) return {};
  const u64 shown = std::min(chain_place(images.top, over).image->size_bytes(), below->size_bytes());
  for (std::size_t index = over + 1; index < end; index++) {
    const auto image = chain_place(images.top, index).image;
    if (image->size_bytes() < shown)
      return Error{fmt::format("{}: is shorter than its neighbours; make it as long first (qemu-img resize)",
                               image->info().file)};
  }
  return {};
}

// --- block-stream ---

CommandReply block_stream(Machine& machine, const Arguments& arguments) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (images.named != 0) return CommandError{.message = "only the image that the guest writes to is streamed into"};
  auto base = named_image(machine, images, arguments, "base-node", "base");
  if (!base) return base.error();
  if (arguments.has("bottom")) {
    const auto bottom = index_of_node(machine, images, arguments.text("bottom"));
    if (!bottom) return CommandError{.message = fmt::format("Node '{}' is not in the chain", arguments.text("bottom"))};
    base = std::optional<std::size_t>(*bottom + 1);
  }
  NewBlockJob plan = new_job(arguments, "stream", images);
  if (auto may = machine.block_jobs().allow_start(plan.id, plan.drive); !may) return may;
  const std::size_t end = base.value().value_or(images.count);
  if (end == 0) return CommandError{.message = "an image cannot be streamed into itself"};
  const std::shared_ptr<DiskImage> below = chain_place(images.top, end).image;
  if (auto fits = hides_nothing(images, 0, end); !fits) return fits;
  plan.work = std::make_unique<MergeWork>(images.top, below, MergeWork::Into::Top);
  const std::string name = arguments.text("backing-file", below ? backing_name(*below) : "");
  plan.conclude = [&machine, drive = images.drive.name, name, end]() -> Result<> {
    auto now = images_of(machine, drive);
    if (!now) return now.error();
    const DriveImages& chain = now.value();
    const std::shared_ptr<DiskImage> rest = chain_place(chain.top, end).image;
    if (auto named = chain.top->name_backing(rest ? name : "", rest ? rest->info().format : ""); !named) return named;
    if (auto stands = chain.top->stand_on(rest); !stands) return stands;
    BlockNode* const node = node_at(machine, chain, 0);
    if (node == nullptr) return {};
    const BlockNode* const under = node_at(machine, chain, end);
    node->backing = !rest ? std::string(kNoBacking) : under != nullptr ? under->name : "";
    follow_nodes(machine, drive);
    return {};
  };
  return begin(machine, std::move(plan));
}

// --- block-commit ---

// The image at `index` may be written to from now on, or not any more.
Result<std::shared_ptr<DiskImage>> reopen_at(const DriveImages& images, std::size_t index, Access access) {
  return reopen_below(*chain_place(images.top, index - 1).image, access);
}

// What undoes that, as far as the images are still there then.
std::function<void()> closes_again(const std::shared_ptr<DiskImage>& above) {
  return [weak = std::weak_ptr(above)] {
    if (const auto image = weak.lock(); image && image->below()) (void)reopen_below(*image, Access::ReadOnly);
  };
}

CommandReply commit_active(Machine& machine, NewBlockJob plan, const DriveImages& images, std::size_t base) {
  const std::string drive = images.drive.name;
  const std::shared_ptr<DiskImage> above = chain_place(images.top, base - 1).image;
  auto target = reopen_below(*above, Access::ReadWrite);
  if (!target) return target.error();
  const auto give_back = closes_again(above);
  if (target.value()->size_bytes() < images.top->size_bytes()) {
    if (auto resized = target.value()->resize(images.top->size_bytes()); !resized) {
      target = Error{resized.message()};
      give_back();
      return target.error();
    }
  }
  plan.mirrors = true;
  plan.work = std::make_unique<MirrorWork>(images.top, target.value(), MirrorWork::Scope::Above, target.value().get());
  plan.abandon = give_back;
  plan.conclude = [&machine, drive, base]() -> Result<> {
    auto now = images_of(machine, drive);
    if (!now) return now.error();
    const std::shared_ptr<DiskImage> image = chain_place(now.value().top, base).image;
    const BlockNode* const node = node_at(machine, now.value(), base);
    const std::string name = node != nullptr ? node->name : "";
    machine.put_node(drive, name);
    ImageSource source = layer_source(*image);
    source.below = ImageSource::Below::AsItSays;
    now.value().medium->replace_image(image,
                                      node != nullptr ? image_source(machine.block_nodes(), name, "", "") : source);
    return {};
  };
  return begin(machine, std::move(plan));
}

CommandReply commit_below(Machine& machine, NewBlockJob plan, const DriveImages& images, std::size_t top,
                          std::size_t base, const std::string& given_name) {
  if (auto fits = hides_nothing(images, top - 1, base); !fits) return fits;
  auto target = reopen_at(images, base, Access::ReadWrite);
  if (!target) return target.error();
  const std::shared_ptr<DiskImage> from = chain_place(images.top, top).image;
  const std::shared_ptr<DiskImage> above = chain_place(images.top, base - 1).image;
  plan.abandon = closes_again(above);
  if (target.value()->size_bytes() < from->size_bytes()) {
    if (auto resized = target.value()->resize(from->size_bytes()); !resized) {
      target = Error{resized.message()};
      plan.abandon();
      return target.error();
    }
  }
  plan.work = std::make_unique<MergeWork>(from, target.value(), MergeWork::Into::End);
  plan.conclude = [&machine, drive = images.drive.name, top, base, given_name]() -> Result<> {
    auto now = images_of(machine, drive);
    if (!now) return now.error();
    const DriveImages& chain = now.value();
    // What stands over the images that go is written to, for its header.
    const bool deep = top > 1;
    if (deep) {
      if (auto opened = reopen_at(chain, top - 1, Access::ReadWrite); !opened) return opened.error();
    }
    DiskImage& over = *chain_place(chain.top, top - 1).image;
    std::shared_ptr<DiskImage> rest = chain_place(chain.top, base).image;
    const std::string file = given_name.empty() ? backing_name(*rest) : given_name;
    if (auto named = over.name_backing(file, rest->info().format); !named) return named;
    if (auto stands = over.stand_on(rest); !stands) return stands;
    rest.reset();
    if (auto closed = reopen_below(over, Access::ReadOnly); !closed) return closed.error();
    BlockNode* const node = node_at(machine, chain, top - 1);
    const BlockNode* const under = node_at(machine, chain, base);
    if (node != nullptr && under != nullptr) node->backing = under->name;
    if (deep) {
      if (auto opened = reopen_at(chain, top - 1, Access::ReadOnly); !opened) return opened.error();
    }
    follow_nodes(machine, drive);
    return {};
  };
  return begin(machine, std::move(plan));
}

CommandReply block_commit(Machine& machine, const Arguments& arguments) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  const auto top = named_image(machine, images, arguments, "top-node", "top");
  if (!top) return top.error();
  const auto base = named_image(machine, images, arguments, "base-node", "base");
  if (!base) return base.error();
  const std::size_t from = top.value().value_or(0), into = base.value().value_or(images.count - 1);
  if (into <= from) return CommandError{.message = "the base must lie below the top; there is nothing to commit"};
  NewBlockJob plan = new_job(arguments, "commit", images);
  if (auto may = machine.block_jobs().allow_start(plan.id, plan.drive); !may) return may;
  if (from == 0) return commit_active(machine, std::move(plan), images, into);
  return commit_below(machine, std::move(plan), images, from, into, arguments.text("backing-file"));
}

// --- Copies into other images ---

// The image of a node that is in no drive. The images of the drive that it stands on are shared.
Result<std::shared_ptr<DiskImage>> open_target(Machine& machine, const DriveImages& images, const std::string& name) {
  const BlockNode* const node = find_block_node(machine.block_nodes(), name);
  if (node == nullptr) return Error{fmt::format("Cannot find device='{}' nor node-name='{}'", name, name)};
  if (drive_of_node(machine, name) || machine.block_jobs().of_target(name) != nullptr)
    return Error{fmt::format("Node '{}' is already in use", name)};
  ImageSource source = image_source(machine.block_nodes(), name, "", "");
  source.interruption = images.medium->interruption();
  const auto shared =
      node->backing.empty() ? std::optional<std::size_t>() : index_of_node(machine, images, node->backing);
  Result<std::shared_ptr<DiskImage>> target = Error{""};
  if (shared) {
    target = open_layer(source, Access::ReadWrite);
    if (target) {
      if (auto stands = target.value()->stand_on(chain_place(images.top, *shared).image); !stands)
        return stands.error();
    }
  } else {
    auto opened = open_image(source, Access::ReadWrite);
    if (!opened) return opened.error();
    target = std::shared_ptr<DiskImage>(std::move(opened).value());
  }
  if (!target) return target;
  if (target.value()->size_bytes() == images.top->size_bytes()) return target;
  if (auto resized = target.value()->resize(images.top->size_bytes()); !resized)
    return Error{fmt::format("Source and target image have different sizes ({})", resized.message())};
  return target;
}

Result<NewBlockJob> plan_mirror(Machine& machine, const Arguments& arguments, const std::string& target_node) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (images.named != 0) return Error{"only what the guest writes to is mirrored"};
  NewBlockJob plan = new_job(arguments, "mirror", images);
  if (auto may = machine.block_jobs().allow_start(plan.id, plan.drive); !may) return may.error();
  auto target = open_target(machine, images, target_node);
  if (!target) return target.error();
  const std::string sync = arguments.text("sync");
  const auto below = images.top->below();
  const auto scope = sync == "top" && below ? MirrorWork::Scope::Above
                     : sync == "none"       ? MirrorWork::Scope::Changes
                                            : MirrorWork::Scope::All;
  plan.mirrors = true;
  plan.target = target.value();
  plan.target_node = target_node;
  plan.work = std::make_unique<MirrorWork>(images.top, target.value(), scope, below.get());
  plan.conclude = [&machine, drive = images.drive.name, target_node,
                   image = std::weak_ptr<DiskImage>(target.value())]() -> Result<> {
    auto now = images_of(machine, drive);
    if (!now) return now.error();
    machine.put_node(drive, target_node);
    now.value().medium->replace_image(image.lock(), image_source(machine.block_nodes(), target_node, "", ""));
    return {};
  };
  return plan;
}

CommandReply blockdev_mirror(Machine& machine, const Arguments& arguments) {
  auto plan = plan_mirror(machine, arguments, arguments.text("target"));
  if (!plan) return plan.error();
  return begin(machine, std::move(plan).value());
}

Result<NewBlockJob> plan_backup(Machine& machine, const Arguments& arguments, const std::string& target_node) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  const std::string sync = arguments.text("sync");
  if (arguments.has("bitmap") || sync == "incremental" || sync == "bitmap")
    return Error{"dirty bitmaps are not kept up here; use sync=full or sync=top"};
  if (images.named != 0) return Error{"only what the guest writes to is backed up"};
  NewBlockJob plan = new_job(arguments, "backup", images);
  if (auto may = machine.block_jobs().allow_start(plan.id, plan.drive); !may) return may.error();
  auto target = open_target(machine, images, target_node);
  if (!target) return target.error();
  const auto scope = sync == "top" && images.top->below() ? BackupWork::Scope::Top
                     : sync == "none"                     ? BackupWork::Scope::Changes
                                                          : BackupWork::Scope::All;
  plan.target = target.value();
  plan.target_node = target_node;
  plan.work = std::make_unique<BackupWork>(images.top, target.value(), scope);
  return plan;
}

CommandReply blockdev_backup(Machine& machine, const Arguments& arguments) {
  auto plan = plan_backup(machine, arguments, arguments.text("target"));
  if (!plan) return plan.error();
  return begin(machine, std::move(plan).value());
}

// A new image, in place of whatever the file held.
Result<> create_image(const std::string& file, bool raw, const NewQcow2& wanted) {
  auto opened = HostFile::open_new(file);
  if (!opened) return opened.error();
  if (!raw) return create_qcow2(*opened.value(), wanted);
  if (auto emptied = opened.value()->resize(0); !emptied) return emptied;
  return opened.value()->resize(wanted.size);
}

// drive-mirror and drive-backup name a file, which is made a node for as long as the copy takes; a mirror that takes the
// drive's place keeps its node.
CommandReply copy_to_file(Machine& machine, const Arguments& arguments,
                          Result<NewBlockJob> (*plan_copy)(Machine&, const Arguments&, const std::string&)) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (auto idle = machine.block_jobs().allow_drive(images.drive.name); !idle) return idle;
  BlockNode node;
  const bool existing = arguments.text("mode", "absolute-paths") == "existing";
  // A new image is of the source's format, as in QEMU.
  node.driver = arguments.text("format", existing ? "qcow2" : images.top->info().format);
  node.file = arguments.text("target");
  node.name = arguments.has("node-name") ? arguments.text("node-name") : unused_node_name(machine);
  if (find_block_node(machine.block_nodes(), node.name) != nullptr)
    return CommandError{.message = fmt::format("node-name '{}' is in use", node.name)};
  if (!existing) {
    if (node.driver != "qcow2" && node.driver != "raw")
      return CommandError{.message = fmt::format("format={}: new images are qcow2 or raw here; qemu-img create makes "
                                                 "others, for mode=existing",
                                                 node.driver)};
    NewQcow2 wanted{.size = images.top->size_bytes()};
    if (arguments.text("sync") == "top" && images.count > 1) {
      wanted.backing_file = backing_name(*images.top->below());
      wanted.backing_format = images.top->below()->info().format;
    }
    if (auto made = create_image(node.file, node.driver == "raw", wanted); !made) return made;
  }
  const auto forget = [&machine, name = node.name] {
    std::erase_if(machine.block_nodes(), [&](const BlockNode& each) { return each.name == name; });
  };
  const std::string name = node.name;
  machine.block_nodes().push_back(std::move(node));
  auto plan = plan_copy(machine, arguments, name);
  if (!plan) {
    forget();
    return plan.error();
  }
  NewBlockJob& job = plan.value();
  job.abandon = forget;
  if (!job.conclude)
    job.conclude = [forget]() -> Result<> {
      forget();
      return {};
    };
  return begin(machine, std::move(job));
}
CommandReply drive_mirror(Machine& machine, const Arguments& arguments) {
  return copy_to_file(machine, arguments, plan_mirror);
}
CommandReply drive_backup(Machine& machine, const Arguments& arguments) {
  return copy_to_file(machine, arguments, plan_backup);
}

// --- New images ---

CommandReply blockdev_create(Machine& machine, const Arguments& arguments) {
  const Json& options = arguments.value("options");
  const auto text = [&](const char* name) {
    const auto at = options.find(name);
    return at != options.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto number = [&](const char* name, u64 otherwise) {
    const auto at = options.find(name);
    return at != options.end() && at->is_number_unsigned() ? at->get<u64>() : otherwise;
  };
  const std::string driver = text("driver");
  std::string file = text("filename");
  if (driver != "file") {
    if (driver != "qcow2")
      return CommandError{.message = fmt::format("driver={}: new images are files or qcow2 here; qemu-img create makes "
                                                 "others",
                                                 driver)};
    const BlockNode* const node = find_block_node(machine.block_nodes(), text("file"));
    if (node == nullptr) return CommandError{.message = fmt::format("Cannot find node '{}'", text("file"))};
    file = node->file;
  }
  if (file.empty()) return CommandError{.message = "Parameter 'filename' is missing"};
  const u64 cluster = number("cluster-size", 65536);
  constexpr u64 kSmallest = 512, kLargest = u64{2} << 20;
  if ((cluster & (cluster - 1)) != 0 || cluster < kSmallest || cluster > kLargest)
    return CommandError{.message = "Cluster size must be a power of two between 512 and 2048k"};
  NewBlockJob plan;
  plan.id = arguments.text("job-id");
  plan.type = "create";
  plan.auto_dismiss = false;
  NewQcow2 wanted{.size = number("size", 0),
                  .cluster_bits = static_cast<u32>(std::countr_zero(cluster)),
                  .version = text("version") == "v2" ? 2u : 3u,
                  .backing_file = text("backing-file"),
                  .backing_format = text("backing-fmt")};
  plan.conclude = [file, driver, wanted] { return create_image(file, driver == "file", wanted); };
  return begin(machine, std::move(plan));
}

// --- All jobs ---

u64 offset_of(const BlockJobs::Job& job) { return job.plan.work ? job.plan.work->done() : job.offset; }
u64 length_of(const BlockJobs::Job& job) { return job.plan.work ? job.plan.work->total() : job.length; }

CommandReply query_jobs(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const BlockJobs::Job& job : machine.block_jobs().jobs()) {
    Json row = {{"current-progress", offset_of(job)},
                {"status", BlockJobs::name(job.status)},
                {"total-progress", length_of(job)},
                {"type", job.plan.type},
                {"id", job.plan.id}};
    if (job.error)
      row["error"] = *job.error;
    else if (job.cancelled)
      row["error"] = "Operation canceled";
    list.push_back(std::move(row));
  }
  return list;
}

CommandReply query_block_jobs(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const BlockJobs::Job& job : machine.block_jobs().jobs()) {
    if (job.creates()) continue;
    Json row = {{"auto-finalize", job.plan.auto_finalize},
                {"io-status", job.error ? "failed" : "ok"},
                {"device", job.plan.id},
                {"auto-dismiss", job.plan.auto_dismiss},
                {"busy", job.under_way},
                {"len", length_of(job)},
                {"offset", offset_of(job)},
                {"status", BlockJobs::name(job.status)},
                {"paused", job.paused()},
                {"speed", job.plan.speed},
                {"ready", job.status == BlockJobs::Status::Ready || job.status == BlockJobs::Status::Standby},
                {"type", job.plan.type}};
    if (job.error) row["error"] = *job.error;
    list.push_back(std::move(row));
  }
  return list;
}

// QEMU's older commands call a job by its device.
std::string id_of(const Arguments& arguments) { return arguments.text(arguments.has("id") ? "id" : "device"); }

CommandReply answer(const Result<>& result, const Arguments& arguments) {
  if (result) return Json::object();
  if (!arguments.has("id") && result.message() == "Job not found")
    return CommandError{"DeviceNotActive", fmt::format("Block job '{}' not found", arguments.text("device"))};
  return CommandError{.message = result.message()};
}

template <Result<> (BlockJobs::*act)(const std::string&)>
CommandReply act_on(Machine& machine, const Arguments& arguments) {
  return answer((machine.block_jobs().*act)(id_of(arguments)), arguments);
}
CommandReply job_cancel(Machine& machine, const Arguments& arguments) {
  return answer(machine.block_jobs().cancel(arguments.text("id"), true), arguments);
}
CommandReply block_job_cancel(Machine& machine, const Arguments& arguments) {
  return answer(machine.block_jobs().cancel(arguments.text("device"), arguments.flag("force")), arguments);
}
CommandReply set_speed(Machine& machine, const Arguments& arguments) {
  if (arguments.integer("speed") < 0) return CommandError{.message = "Invalid parameter 'speed'"};
  return answer(machine.block_jobs().set_speed(arguments.text("device"), arguments.number("speed")), arguments);
}

constexpr Command kCommands[] = {
    {"query-jobs", "", "[JobInfo]", query_jobs},
    {"query-block-jobs", "", "[BlockJobInfo]", query_block_jobs},
    {"block-stream",
     "*job-id:str device:str *base:str *base-node:str *backing-file:str *bottom:str *speed:int "
     "*on-error:BlockdevOnError *filter-node-name:str *auto-finalize:bool *auto-dismiss:bool",
     "", block_stream},
    {"block-commit",
     "*job-id:str device:str *base-node:str *base:str *top-node:str *top:str *backing-file:str *speed:int "
     "*on-error:BlockdevOnError *filter-node-name:str *auto-finalize:bool *auto-dismiss:bool",
     "", block_commit},
    {"blockdev-mirror",
     "*job-id:str device:str target:str *replaces:str sync:MirrorSyncMode *speed:int *granularity:int *buf-size:int "
     "*on-source-error:BlockdevOnError *on-target-error:BlockdevOnError *filter-node-name:str "
     "*copy-mode:MirrorCopyMode *auto-finalize:bool *auto-dismiss:bool",
     "", blockdev_mirror},
    {"drive-mirror",
     "*job-id:str device:str target:str *format:str *node-name:str *replaces:str sync:MirrorSyncMode "
     "*mode:NewImageMode *speed:int *granularity:int *buf-size:int *on-source-error:BlockdevOnError "
     "*on-target-error:BlockdevOnError *unmap:bool *copy-mode:MirrorCopyMode *auto-finalize:bool *auto-dismiss:bool",
     "", drive_mirror},
    {"blockdev-backup",
     "*job-id:str device:str target:str sync:MirrorSyncMode *speed:int *bitmap:str *bitmap-mode:str *compress:bool "
     "*on-source-error:BlockdevOnError *on-target-error:BlockdevOnError *auto-finalize:bool *auto-dismiss:bool "
     "*filter-node-name:str *x-perf:any",
     "", blockdev_backup},
    {"drive-backup",
     "*job-id:str device:str target:str *format:str sync:MirrorSyncMode *mode:NewImageMode *speed:int *bitmap:str "
     "*bitmap-mode:str *compress:bool *on-source-error:BlockdevOnError *on-target-error:BlockdevOnError "
     "*auto-finalize:bool *auto-dismiss:bool *filter-node-name:str *x-perf:any",
     "", drive_backup},
    {"blockdev-create", "job-id:str options:BlockdevCreateOptions", "", blockdev_create},
    {"job-cancel", "id:str", "", job_cancel},
    {"job-complete", "id:str", "", act_on<&BlockJobs::complete>},
    {"job-dismiss", "id:str", "", act_on<&BlockJobs::dismiss>},
    {"job-finalize", "id:str", "", act_on<&BlockJobs::finalize>},
    {"job-pause", "id:str", "", act_on<&BlockJobs::pause>},
    {"job-resume", "id:str", "", act_on<&BlockJobs::resume>},
    {"block-job-cancel", "device:str *force:bool", "", block_job_cancel},
    {"block-job-complete", "device:str", "", act_on<&BlockJobs::complete>},
    {"block-job-dismiss", "id:str", "", act_on<&BlockJobs::dismiss>},
    {"block-job-finalize", "id:str", "", act_on<&BlockJobs::finalize>},
    {"block-job-pause", "device:str", "", act_on<&BlockJobs::pause>},
    {"block-job-resume", "device:str", "", act_on<&BlockJobs::resume>},
    {"block-job-set-speed", "device:str speed:int", "", set_speed},
};

}  // namespace

CommandTable job_commands() { return kCommands; }

}  // namespace relic86
