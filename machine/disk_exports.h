// Disks that other programs read and write while the machine runs, by the NBD protocol (docs/disks.md): what
// nbd-server-start, block-export-add and their kin act on. A client's requests are carried out in the queue of the
// guest's, so that neither waits for more than the other's turn.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "block/drive_medium.h"
#include "block/nbd_session.h"
#include "char/host_poller.h"
#include "net/host_socket.h"

namespace relic86 {

class Machine;

class DiskExports final : private HostPoller::Source {
 public:
  struct Wanted {
    std::string id, name, description;
    std::string node;   // the block node; empty: what is in the drive
    std::string drive;  // its name in Machine::drives()
    bool writable = false;
  };
  struct Export {
    Wanted wanted;
    std::shared_ptr<DriveMedium> medium;
  };

  DiskExports(Machine& machine, HostPoller& poller) : machine_(machine), poller_(poller) {}
  ~DiskExports();
  DiskExports(const DiskExports&) = delete;
  DiskExports& operator=(const DiskExports&) = delete;

  static constexpr unsigned kMostClients = 16;
  // most_clients: at once, up to kMostClients; 0: as many as that.
  Result<> start(const net::SocketAddress& address, u64 most_clients);
  // Every export goes, and every client is let go.
  Result<> stop();
  bool running() const { return static_cast<bool>(listener_); }

  Result<> add(Wanted wanted);
  // Hard: clients that use it are let go. Otherwise an export that is used stays, and that is an error.
  enum class Removal : u8 { Safe, Hard };
  Result<> remove(const std::string& id, Removal removal);
  // What is in this drive goes: so do its exports, with their clients.
  void forget_drive(const std::string& drive);
  const std::list<Export>& exports() const { return exports_; }
  const Export* find(const std::string& id) const;
  // The id of the one with this name for clients; empty: there is none.
  std::string id_of_name(const std::string& name) const;
  // An error where an export shows what is in this drive, or this node.
  Result<> allow_drive(const std::string& drive) const;
  Result<> allow_node(const std::string& node) const;
  // While MachineEvent::ExportDeleted is told.
  const std::string& deleted() const { return deleted_; }

 private:
  struct Client;
  struct Place {};
  void prepare(std::vector<pollfd>& fds, i64& timeout) override;
  void dispatch(std::span<const pollfd> fds, bool failed) override;
  void close();
  void accept_client();
  void forget_ended();
  Result<std::shared_ptr<DriveMedium>> medium_of(const Wanted& wanted);
  bool may_write(const Export& which) const;
  bool used(const Export& which) const;
  void delete_export(std::list<Export>::iterator at);

  Machine& machine_;
  HostPoller& poller_;
  net::HostSocket listener_;
  std::string socket_path_;  // of a unix socket that stop() removes; empty: none
  std::size_t most_clients_ = kMostClients;
  std::list<Export> exports_;
  std::list<std::shared_ptr<Client>> clients_;
  std::list<std::weak_ptr<Place>> places_;  // those of kMostClients that are taken
  std::string deleted_;
};

}  // namespace relic86
