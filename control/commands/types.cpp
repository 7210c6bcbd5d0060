#include "control/commands/types.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;
using Json = nlohmann::ordered_json;
using enum TypeRow::Kind;

constexpr TypeRow kTypes[] = {
    // --- Run control ---
    {"RunState", Enum,
     "debug inmigrate internal-error io-error paused postmigrate prelaunch finish-migrate restore-vm running save-vm "
     "shutdown suspended watchdog guest-panicked colo"},
    {"StatusInfo", Object, "running:bool singlestep:bool status:RunState"},
    {"ShutdownCause", Enum,
     "none host-error host-qmp-quit host-qmp-system-reset host-signal host-ui guest-shutdown guest-reset guest-panic "
     "subsystem-reset snapshot-load"},
    {"RebootAction", Enum, "reset shutdown"},
    {"ShutdownAction", Enum, "poweroff pause"},
    {"PanicAction", Enum, "pause shutdown exit-failure none"},
    {"WatchdogAction", Enum, "reset shutdown poweroff pause debug none inject-nmi"},
    {"VersionTriple", Object, "major:int minor:int micro:int"},
    {"VersionInfo", Object, "qemu:VersionTriple package:str"},
    {"CommandInfo", Object, "name:str"},
    {"HumanReadableText", Object, "human-readable-text:str"},
    {"QMPCapability", Enum, "oob"},
    {"NameInfo", Object, "*name:str"},
    {"UuidInfo", Object, "UUID:str"},
    {"KvmInfo", Object, "enabled:bool present:bool"},
    {"SysEmuTarget", Enum, "i386 x86_64"},
    {"TargetInfo", Object, "arch:SysEmuTarget"},
    // --- Networks ---
    {"RxState", Enum, "normal none all"},
    {"RxFilterInfo", Object,
     "name:str promiscuous:bool multicast:RxState unicast:RxState vlan:RxState broadcast-allowed:bool "
     "multicast-overflow:bool unicast-overflow:bool main-mac:str vlan-table:[int] unicast-table:[str] "
     "multicast-table:[str]"},
    // --- Processors and memory ---
    {"CpuInstanceProperties", Object,
     "*node-id:int *socket-id:int *die-id:int *cluster-id:int *core-id:int *thread-id:int"},
    {"CpuInfoFast", Object,
     "cpu-index:int qom-path:str thread-id:int *props:CpuInstanceProperties target:SysEmuTarget"},
    {"HotpluggableCPU", Object, "type:str vcpus-count:int props:CpuInstanceProperties *qom-path:str"},
    {"CpuDefinitionInfo", Object,
     "name:str *migration-safe:bool static:bool *unavailable-features:[str] typename:str *alias-of:str "
     "deprecated:bool"},
    {"CpuModelInfo", Object, "name:str *props:any"},
    {"CpuModelExpansionType", Enum, "static full"},
    {"CpuModelExpansionInfo", Object, "model:CpuModelInfo"},
    {"MachineInfo", Object,
     "name:str *alias:str *is-default:bool cpu-max:int hotpluggable-cpus:bool numa-mem-supported:bool deprecated:bool "
     "*default-cpu-type:str *default-ram-id:str acpi:bool"},
    {"CurrentMachineParams", Object, "wakeup-suspend-support:bool"},
    {"MemoryInfo", Object, "base-memory:int *plugged-memory:int"},
    {"HostMemPolicy", Enum, "default preferred bind interleave"},
    {"Memdev", Object,
     "*id:str size:int merge:bool dump:bool prealloc:bool share:bool *reserve:bool host-nodes:[int] "
     "policy:HostMemPolicy"},
    {"BalloonInfo", Object, "actual:int"},
    {"IOThreadInfo", Object, "id:str thread-id:int poll-max-ns:int poll-grow:int poll-shrink:int aio-max-batch:int"},
    {"StatsTarget", Enum, "vm vcpu"},
    {"StatsProvider", Enum, "kvm"},
    {"StatsRequest", Object, "provider:StatsProvider *names:[str]"},
    {"ReplayMode", Enum, "none record play"},
    {"ReplayInfo", Object, "mode:ReplayMode *filename:str icount:int"},
    {"DirtyRateStatus", Enum, "unstarted measuring measured"},
    {"DirtyRateMeasureMode", Enum, "page-sampling dirty-ring dirty-bitmap"},
    {"DirtyRateInfo", Object,
     "*dirty-rate:int status:DirtyRateStatus start-time:int calc-time:int sample-pages:int mode:DirtyRateMeasureMode"},
    {"DumpGuestMemoryFormat", Enum, "elf"},
    {"DumpGuestMemoryCapability", Object, "formats:[DumpGuestMemoryFormat]"},
    {"COLOMode", Enum, "none primary secondary"},
    {"COLOExitReason", Enum, "none request error processing"},
    {"COLOStatus", Object, "mode:COLOMode last-mode:COLOMode reason:COLOExitReason"},
    {"ReplicationStatus", Object, "error:bool *desc:str"},
    {"SevState", Enum, "uninit launch-update launch-secret running send-update receive-update"},
    {"SevInfo", Object, "enabled:bool api-major:int api-minor:int build-id:int policy:int state:SevState handle:int"},
    {"DumpStatus", Enum, "none active completed failed"},
    {"DumpQueryResult", Object, "status:DumpStatus completed:int total:int"},
    // --- Objects ---
    {"ObjectTypeInfo", Object, "name:str *abstract:bool *parent:str"},
    {"ObjectPropertyInfo", Object, "name:str type:str *description:str *default-value:any"},
    {"ObjectOptions", Object, "qom-type:str id:str .."},
    {"CommandLineParameterType", Enum, "string boolean number size"},
    {"CommandLineParameterInfo", Object, "name:str type:CommandLineParameterType *help:str *default:str"},
    {"CommandLineOptionInfo", Object, "option:str parameters:[CommandLineParameterInfo]"},
    // --- PCI ---
    {"PciDeviceClass", Object, "*desc:str class:int"},
    {"PciDeviceId", Object, "device:int vendor:int *subsystem:int *subsystem-vendor:int"},
    {"PciMemoryRegion", Object, "bar:int type:str address:int size:int *prefetch:bool *mem_type_64:bool"},
    {"PciDeviceInfo", Object,
     "bus:int slot:int function:int class_info:PciDeviceClass id:PciDeviceId *irq:int irq_pin:int qdev_id:str "
     "regions:[PciMemoryRegion]"},
    {"PciInfo", Object, "bus:int devices:[PciDeviceInfo]"},
    // --- Drives ---
    {"BlockdevDriver", Enum, "file host_cdrom host_device nbd qcow2 raw vdi vhdx vmdk vpc"},
    {"BlockdevOptions", Object, "driver:BlockdevDriver *node-name:str *read-only:bool .."},
    {"BlockdevChangeReadOnlyMode", Enum, "retain read-only read-write"},
    {"BlockDeviceIoStatus", Enum, "ok failed nospace"},
    {"BlockdevCacheInfo", Object, "writeback:bool direct:bool no-flush:bool"},
    {"ImageInfo", Object,
     "filename:str format:str *dirty-flag:bool *actual-size:int virtual-size:int *cluster-size:int *encrypted:bool "
     "*backing-filename:str *full-backing-filename:str *backing-filename-format:str *snapshots:[SnapshotInfo] "
     "*backing-image:ImageInfo"},
    {"SnapshotInfo", Object,
     "id:str name:str vm-state-size:int date-sec:int date-nsec:int vm-clock-sec:int vm-clock-nsec:int"},
    {"BlockDeviceInfo", Object,
     "file:str *node-name:str ro:bool drv:str *backing_file:str backing_file_depth:int encrypted:bool "
     "detect_zeroes:str bps:int bps_rd:int bps_wr:int iops:int iops_rd:int iops_wr:int image:ImageInfo "
     "cache:BlockdevCacheInfo write_threshold:int"},
    {"BlockInfo", Object,
     "device:str *qdev:str type:str removable:bool locked:bool *inserted:BlockDeviceInfo *tray_open:bool "
     "*io-status:BlockDeviceIoStatus"},
    {"BlockDeviceStats", Object,
     "rd_bytes:int wr_bytes:int unmap_bytes:int rd_operations:int wr_operations:int flush_operations:int "
     "unmap_operations:int rd_total_time_ns:int wr_total_time_ns:int flush_total_time_ns:int unmap_total_time_ns:int "
     "wr_highest_offset:int rd_merged:int wr_merged:int unmap_merged:int failed_rd_operations:int "
     "failed_wr_operations:int failed_flush_operations:int failed_unmap_operations:int invalid_rd_operations:int "
     "invalid_wr_operations:int invalid_flush_operations:int invalid_unmap_operations:int account_invalid:bool "
     "account_failed:bool timed_stats:[any]"},
    {"BlockStats", Object, "*device:str *qdev:str *node-name:str stats:BlockDeviceStats"},
    // --- Copies of disks ---
    {"SocketAddressType", Enum, "inet unix vsock fd"},
    {"SocketAddressLegacy", Object, "type:SocketAddressType data:any"},
    {"BlockExportType", Enum, "nbd vhost-user-blk fuse"},
    {"BlockExportRemoveMode", Enum, "safe hard"},
    {"BlockExportInfo", Object, "id:str type:BlockExportType node-name:str shutting-down:bool"},
    {"BlockdevOnError", Enum, "report ignore enospc stop auto"},
    {"MirrorSyncMode", Enum, "top full none incremental bitmap"},
    {"MirrorCopyMode", Enum, "background write-blocking"},
    {"NewImageMode", Enum, "existing absolute-paths"},
    {"BlockdevCreateOptions", Object, "driver:BlockdevDriver .."},
    {"TransactionAction", Object, "type:str *data:any"},
    {"JobType", Enum, "commit stream mirror backup create"},
    {"JobStatus", Enum, "undefined created running paused ready standby waiting pending aborting concluded null"},
    {"JobInfo", Object, "id:str type:JobType status:JobStatus current-progress:int total-progress:int *error:str"},
    {"BlockJobInfo", Object,
     "type:JobType device:str len:int offset:int busy:bool paused:bool speed:int io-status:BlockDeviceIoStatus "
     "ready:bool status:JobStatus auto-finalize:bool auto-dismiss:bool *error:str"},
    {"IoOperationType", Enum, "read write"},
    {"BlockErrorAction", Enum, "ignore report stop"},
    // --- The host's side ---
    {"ChardevInfo", Object, "label:str filename:str frontend-open:bool"},
    {"ChardevBackendInfo", Object, "name:str"},
    {"MouseInfo", Object, "name:str index:int current:bool absolute:bool"},
    {"KeyValueKind", Enum, "number qcode"},
    {"KeyValue", Object, "type:KeyValueKind data:any"},
    {"InputButton", Enum, "left middle right wheel-up wheel-down side extra wheel-left wheel-right"},
    {"InputEventKind", Enum, "key btn rel abs"},
    {"InputEvent", Object, "type:InputEventKind data:any"},
    {"ImageFormat", Enum, "ppm png"},
    {"DisplayOptions", Object, "type:str *full-screen:bool"},
    {"NetworkAddressFamily", Enum, "ipv4 ipv6 unix vsock unknown"},
    {"VncPrimaryAuth", Enum, "none vnc ra2 ra2ne tight ultra tls vencrypt sasl"},
    {"VncClientInfo", Object, "host:str service:str family:NetworkAddressFamily websocket:bool"},
    {"VncServerInfo", Object, "host:str service:str family:NetworkAddressFamily websocket:bool *auth:str"},
    {"VncServerInfo2", Object, "host:str service:str family:NetworkAddressFamily websocket:bool auth:VncPrimaryAuth"},
    {"VncInfo", Object,
     "enabled:bool *host:str *family:NetworkAddressFamily *service:str *auth:str *clients:[VncClientInfo]"},
    {"VncInfo2", Object, "id:str server:[VncServerInfo2] clients:[VncClientInfo] auth:VncPrimaryAuth"},
    {"DisplayProtocol", Enum, "vnc spice"},
    {"SetPasswordAction", Enum, "keep fail disconnect"},
    {"SpiceQueryMouseMode", Enum, "client server unknown"},
    {"SpiceInfo", Object, "enabled:bool migrated:bool mouse-mode:SpiceQueryMouseMode"},
    {"YankInstanceType", Enum, "block-node chardev migration"},
    {"YankInstance", Object, "type:YankInstanceType *id:str"},
    // --- What people do at a window; no counterpart of QEMU's ---
    {"SavedMachineInfo", Object, "tag:str vm-state-size:int date-sec:int vm-clock-nsec:int picture:str"},
    {"SpeedPresetInfo", Object, "name:str instructions-per-second:int"},
    {"SpeedInfo", Object, "instructions-per-second:int limit:int presets:[SpeedPresetInfo]"},
    {"SoundInfo", Object, "volume:int recording:str"},
    {"VideoInfo", Object, "recording:str"},
    {"TypedInfo", Object, "left-out:int"},
    {"ScreenText", Object, "lines:[str]"},
    {"CardInfo", Object, "name:str model:str link:bool"},
    // --- Migration ---
    {"MigrationCapability", Enum,
     "events xbzrle auto-converge postcopy-ram return-path pause-before-switchover multifd dirty-bitmaps zero-blocks"},
    {"MigrationCapabilityStatus", Object, "capability:MigrationCapability state:bool"},
    {"MigrationCapabilitySetting", Object, "capability:str state:bool"},
    {"MigrationStatus", Enum,
     "none setup cancelling cancelled active postcopy-active postcopy-paused postcopy-recover completed failed colo "
     "pre-switchover device wait-unplug"},
    {"MigrationStats", Object,
     "transferred:int remaining:int total:int duplicate:int skipped:int normal:int "
     "normal-bytes:int dirty-pages-rate:int mbps:number dirty-sync-count:int page-size:int multifd-bytes:int "
     "pages-per-second:int postcopy-requests:int precopy-bytes:int downtime-bytes:int postcopy-bytes:int "
     "dirty-sync-missed-zero-copy:int"},
    {"MigrationInfo", Object,
     "*status:MigrationStatus *ram:MigrationStats *total-time:int *downtime:int *expected-downtime:int *setup-time:int "
     "*error-desc:str"},
    {"MigrationParameters", Object, "*max-bandwidth:int *downtime-limit:int"},
};

constexpr EventRow kEvents[] = {
    {"STOP", ""},
    {"RESUME", ""},
    {"RESET", "guest:bool reason:ShutdownCause"},
    {"SHUTDOWN", "guest:bool reason:ShutdownCause"},
    {"POWERDOWN", ""},
    {"SUSPEND", ""},
    {"WAKEUP", ""},
    {"BALLOON_CHANGE", "actual:int"},
    {"MIGRATION", "status:MigrationStatus"},
    {"VNC_CONNECTED", "server:VncServerInfo client:VncClientInfo"},
    {"VNC_INITIALIZED", "server:VncServerInfo client:VncClientInfo"},
    {"VNC_DISCONNECTED", "server:VncServerInfo client:VncClientInfo"},
    {"JOB_STATUS_CHANGE", "id:str status:JobStatus"},
    {"BLOCK_JOB_COMPLETED", "type:JobType device:str len:int offset:int speed:int *error:str"},
    {"BLOCK_JOB_CANCELLED", "type:JobType device:str len:int offset:int speed:int"},
    {"BLOCK_JOB_READY", "type:JobType device:str len:int offset:int speed:int"},
    {"BLOCK_JOB_PENDING", "type:JobType id:str"},
    {"BLOCK_JOB_ERROR", "device:str operation:IoOperationType action:BlockErrorAction"},
    {"BLOCK_IO_ERROR",
     "device:str *node-name:str operation:IoOperationType action:BlockErrorAction *nospace:bool reason:str"},
    {"BLOCK_EXPORT_DELETED", "id:str"},
    {"DUMP_COMPLETED", "result:DumpQueryResult *error:str"},
    {"DEVICE_TRAY_MOVED", "device:str id:str tray-open:bool"},
};

Error wrong(const std::string& path, Text name, Text expected) {
  return Error{fmt::format("Invalid parameter type for '{}{}', expected: {}", path, name, expected)};
}

Result<> check_value(Text type, const Json& value, const std::string& path, Text name) {
  if (type == "any") return {};
  if (type == "str") return value.is_string() ? Result<>() : wrong(path, name, "string");
  if (type == "bool") return value.is_boolean() ? Result<>() : wrong(path, name, "boolean");
  if (type == "int") return value.is_number_integer() ? Result<>() : wrong(path, name, "integer");
  if (type == "size") return value.is_number_unsigned() ? Result<>() : wrong(path, name, "uint64");
  if (type.starts_with('[')) {
    if (!value.is_array()) return wrong(path, name, "array");
    const Text element = type.substr(1, type.size() - 2);
    for (std::size_t i = 0; i < value.size(); i++) {
      if (auto right = check_value(element, value[i], path, fmt::format("{}[{}]", name, i)); !right) return right;
    }
    return {};
  }
  const TypeRow* row = find_type(type);
  RELIC86_ASSERT(row != nullptr);
  if (row->kind == Object)
    return value.is_object() ? check_members(row->members, value, fmt::format("{}{}.", path, name))
                             : wrong(path, name, "object");
  if (!value.is_string()) return wrong(path, name, "string");
  const auto values = split_words(row->members, ' ');
  const std::string word = value.get<std::string>();
  if (std::find(values.begin(), values.end(), word) != values.end()) return {};
  return Error{fmt::format("Parameter '{}{}' does not accept value '{}'", path, name, word)};
}

}  // namespace

std::span<const TypeRow> type_table() { return kTypes; }
std::span<const EventRow> event_table() { return kEvents; }

const TypeRow* find_type(std::string_view name) {
  const auto* row =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& t) { return t.name == name; });
  return row == std::end(kTypes) ? nullptr : row;
}

Result<> check_type(std::string_view type, const nlohmann::ordered_json& value, const std::string& name) {
  return check_value(type, value, "", name);
}

std::vector<Member> parse_members(std::string_view words) {
  std::vector<Member> members;
  while (!words.empty()) {
    const auto blank = words.find(' ');
    Text word = words.substr(0, blank);
    words = blank == Text::npos ? Text() : words.substr(blank + 1);
    Member member;
    member.optional = word.starts_with('*');
    if (member.optional) word.remove_prefix(1);
    const auto colon = word.find(':');
    member.name = word.substr(0, colon);
    if (colon != Text::npos) member.type = word.substr(colon + 1);
    members.push_back(member);
  }
  return members;
}

Result<> check_members(std::string_view members, const nlohmann::ordered_json& object, const std::string& path) {
  const auto known = parse_members(members);
  bool open = false;
  for (const Member& member : known) {
    if (member.name == "..") {
      open = true;
      continue;
    }
    const auto at = object.find(std::string(member.name));
    if (at == object.end()) {
      if (!member.optional) return Error{fmt::format("Parameter '{}{}' is missing", path, member.name)};
      continue;
    }
    if (auto right = check_value(member.type, *at, path, member.name); !right) return right;
  }
  if (open) return {};
  for (const auto& [name, value] : object.items()) {
    if (std::none_of(known.begin(), known.end(),
                     [&wanted = name](const Member& member) { return member.name == wanted; }))
      return Error{fmt::format("Parameter '{}{}' is unexpected", path, name)};
  }
  return {};
}

}  // namespace relic86
