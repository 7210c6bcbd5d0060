// -vnc: lets clients in, shares the machine's screen among them, and answers for them to its commands. Until the first
// client comes there is no thread and no look at the screen.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "char/host_poller.h"
#include "frontend/screen_feed.h"
#include "frontend/vnc_listener.h"
#include "frontend/vnc_session.h"

namespace relic86 {

class VncServer final : public RemoteDisplay, private VncSession::Owner {
 public:
  // Null: none is asked for. Errors name the option, the cause and the mend.
  static Result<std::unique_ptr<VncServer>> open(Machine& machine, ScreenFeed& feed, HostPoller& poller);
  ~VncServer();
  VncServer(const VncServer&) = delete;
  VncServer& operator=(const VncServer&) = delete;

  // RemoteDisplay
  const std::string& id() const override { return option_.id; }
  bool needs_password() const override { return option_.password; }
  std::vector<RemoteAddress> addresses() const override;
  std::vector<Client> clients() const override;
  Result<> set_password(const std::string& password) override;
  Result<> expire_password(std::optional<i64> when) override;
  Event event() const override { return event_; }
  const Client& event_client() const override { return event_client_; }

 private:
  VncServer(Machine& machine, ScreenFeed& feed, const VncOption& option);
  Result<> listen(HostPoller& poller);
  Result<> take_secret();
  void accept(int connection, bool web_socket);
  bool make_room();
  void tell(Event event, const Client& client);

  // VncSession::Owner, on the client's thread
  std::optional<std::string> client_password() override;
  bool let_in(VncSession& session, bool shared) override;
  void client_gone(u64 number) override;
  void forget(u64 number);

  struct Row {
    std::unique_ptr<VncSession> session;
    enum class Standing : u8 { Connecting, Shares, Alone, Leaves } standing = Standing::Connecting;
    bool announced = false;  // Event::Initialized
  };

  Machine& machine_;
  ScreenFeed& feed_;
  VncOption option_;
  std::unique_ptr<VncListener> listener_, web_listener_;
  ServeVnc* serve_ = nullptr;
  u64 last_number_ = 0;
  Event event_ = Event::Connected;
  Client event_client_;

  mutable std::mutex mutex_;  // guards what follows; the table itself changes on the machine's thread alone
  std::map<u64, Row> rows_;   // by the clients' numbers, the oldest first
  std::string password_;
  std::optional<i64> expires_;  // Unix time
};

}  // namespace relic86
