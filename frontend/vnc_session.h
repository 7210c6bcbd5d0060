// One client of the VNC server: the library's thread on one side, the machine's on the other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "frontend/screen_feed.h"
#include "frontend/vnc_input.h"
#include "machine/remote_display.h"

namespace relic86 {

class VncSession final : private VncClientHost, private ScreenFeed::Viewer {
 public:
  // Whose clients the sessions are. Called on the client's thread.
  class Owner {
   public:
    virtual std::optional<std::string> client_password() = 0;
    virtual bool let_in(VncSession& session, bool shared) = 0;
    // The last call of a session: its thread ends.
    virtual void client_gone(u64 number) = 0;

   protected:
    ~Owner() = default;
  };
  struct Surroundings {
    Machine& machine;
    ScreenFeed& feed;
    Owner& owner;
    ServeVnc* serve;
  };

  // On the machine's thread, as all that follows. The socket becomes the session's.
  VncSession(const Surroundings& surroundings, RemoteDisplay::Client client, const VncClientOptions& options);
  ~VncSession();
  VncSession(const VncSession&) = delete;
  VncSession& operator=(const VncSession&) = delete;

  void start();
  const RemoteDisplay::Client& client() const { return client_; }

  // Asks the client to go; from any thread.
  void leave();

 private:
  // VncClientHost
  int news_descriptor() const override { return news_; }
  void take_news() override;
  bool leaving() const override { return leaving_; }
  FrameExchange::Taken take_frame() override { return frames_.take(); }
  VncState state() override;
  void refresh() override;
  std::optional<std::string> password() override { return owner_.client_password(); }
  bool enter(bool shared) override { return owner_.let_in(*this, shared); }
  void key(const VncKey& key) override { bring(key); }
  void point(const VncPointer& pointer) override { bring(pointer); }
  void set_clipboard(std::string text) override;
  void power(VncPower what) override { bring(what); }

  // ScreenFeed::Viewer
  void screen_changed(const Frame& frame, RowRange rows) override;
  void frame_passed() override;

  void bring(VncInputEvent event);
  void take_input();
  void tell();
  VncState machine_state();

  Machine& machine_;
  ScreenFeed& feed_;
  Owner& owner_;
  ServeVnc* serve_;
  RemoteDisplay::Client client_;
  VncClientOptions options_;
  int news_ = -1;
  int connection_ = -1;  // to shut it, whoever reads or writes
  std::atomic<bool> leaving_ = false;
  FrameExchange frames_;
  VncInput input_;
  std::mutex mutex_;  // guards what follows
  VncState state_;
  std::vector<VncInputEvent> inbox_;
  bool posted_ = false;  // take_input() is on its way
  bool refreshing_ = false;
  std::condition_variable taken_;
  std::thread thread_;
};

}  // namespace relic86
