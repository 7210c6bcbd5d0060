// Disks of a server that answers when the test says so.
#include "block/nbd_file.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <memory>
#include <thread>

#include "block/drive_medium.h"
#include "block/nbd_session.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

class Server final : public NbdSession::Disks {
 public:
  explicit Server(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    if (::listen(listener_, 8) != 0) std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From now on it hears and says nothing, or goes on where it was.
  void be_silent(bool silent) { silent_ = silent; }
  // The writes that come from now on are not carried out before this ends, whoever else asks for something.
  void hold_writes(bool hold) { holding_ = hold; }
  bool holds_writes() const { return held_count_ != 0; }

  std::vector<NbdSession::Export> exports() override { return {{"disk", "", bytes_.size(), true}}; }
  bool open(const std::string&) override { return true; }
  void submit(BlockRequest request, BlockDone done) override {
    const auto place = bytes_.begin() + static_cast<std::ptrdiff_t>(request.offset);
    if (request.kind == BlockRequest::Kind::Read) std::copy_n(place, request.length, request.bytes.begin());
    if (request.kind == BlockRequest::Kind::Write) {
      if (holding_ && held_.empty()) {
        held_.emplace_back(std::move(request), std::move(done));
        held_count_ = held_.size();
        return;
      }
      std::copy(request.bytes.begin(), request.bytes.end(), place);
    }
    done(std::move(request), {});
  }
  void extents(u64, u64 length, unsigned, NbdSession::ExtentsDone done) override {
    done(std::vector{DiskImage::Extent{true, length}});
  }

 private:
  struct Client {
    Client(Server& server, int connection) : fd(connection), session(server) {}
    ~Client() { ::close(fd); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    int fd;
    NbdSession session;
  };
  void serve() {
    constexpr int kLook = 5;  // ms
    while (!ending_) {
      std::vector<pollfd> fds{{listener_, POLLIN, 0}};
      for (const Client& each : clients_) fds.push_back({each.fd, POLLIN, 0});
      ::poll(silent_ ? nullptr : fds.data(), silent_ ? 0 : fds.size(), kLook);
      if (silent_) continue;
      if (!holding_) carry_out_held();
      auto ready = fds.begin() + 1;
      for (auto client = clients_.begin(); client != clients_.end(); ready++) {
        const bool stays = ready->revents == 0 || hear(*client);
        const auto next = std::next(client);
        if (!stays) gone_.splice(gone_.end(), clients_, client);  // it may have asked for something
        client = next;
      }
      if (fds[0].revents == 0) continue;
      clients_.emplace_back(*this, ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
      say(clients_.back());
    }
  }
  void carry_out_held() {
    for (auto& [request, done] : std::exchange(held_, {})) submit(std::move(request), std::move(done));
    held_count_ = 0;
    for (Client& each : clients_) say(each);
  }
  static bool hear(Client& client) {
    std::array<u8, 4096> bytes;
    const ssize_t count = ::recv(client.fd, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    client.session.receive(std::span(bytes).first(static_cast<std::size_t>(count)));
    say(client);
    return true;
  }
  static void say(Client& client) {
    while (!client.session.output().empty()) {
      const auto bytes = client.session.output();
      const ssize_t count = ::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return;
      client.session.note_sent(static_cast<std::size_t>(count));
    }
  }

  int listener_;
  std::vector<u8> bytes_ = std::vector<u8>(1 << 20);
  std::atomic<bool> silent_ = false, ending_ = false, holding_ = false;
  std::atomic<std::size_t> held_count_ = 0;
  std::list<std::pair<BlockRequest, BlockDone>> held_;
  std::list<Client> clients_, gone_;
  std::thread thread_;
};

i64 still() { return 0; }

// It is waited for as long as anybody could like, unless somebody has to have the disk to himself.
class SilentServer : public testing::Test {
 protected:
  void SetUp() override {
    constexpr unsigned kLong = 80'000;
    auto opened = DriveMedium::open({.file = "nbd+unix:///disk?socket=" + folder_.path("socket"),
                                     .format = ImageFormat::Raw,
                                     .reconnect_seconds = kLong},
                                    DriveMedium::Access::ReadWrite);
    if (!opened && opened.message().find("no NBD client") != std::string::npos) GTEST_SKIP() << opened.message();
    ASSERT_TRUE(opened.ok()) << opened.message();
    medium_ = std::move(opened).value();
    medium_->serve_with({&workers_, [] {}, still});
    medium_->set_error_policy({.write = OnError::Report, .read = OnError::Report}, [](const auto&) {});
  }
  void write(u8 value) {
    medium_->submit({BlockRequest::Kind::Write, 0, 512, std::vector<u8>(512, value)},
                    [this](BlockRequest&& request, const Result<>& result) {
                      told_++;
                      if (!result) action_ = medium_->failed(request.kind, result.message());
                    });
  }

  test::TemporaryFolder folder_;
  Server server_{folder_.path("socket")};
  BlockWorkers workers_{1};
  std::shared_ptr<DriveMedium> medium_;
  unsigned told_ = 0;
  std::optional<ErrorAction> action_;
};

TEST_F(SilentServer, WhatIsGivenUpIsCarriedOutLater) {
  server_.be_silent(true);
  write(1);
  write(2);
  // A question waits for nothing.
  EXPECT_EQ(medium_->info().format, "raw");
  EXPECT_EQ(told_, 0u);
  medium_->drain();
  EXPECT_EQ(told_, 2u);
  EXPECT_EQ(action_, ErrorAction::Stop) << "the guest is not told, whatever the policy is";
  server_.be_silent(false);
  action_.reset();
  write(3);
  medium_->drain();
  EXPECT_EQ(told_, 3u);
  EXPECT_FALSE(action_);
  std::vector<u8> read(512);
  EXPECT_TRUE(medium_->read(0, read).ok());
  EXPECT_EQ(read, std::vector<u8>(512, 3));
}

// The server has the first write still when the guest writes again: that is carried out after it, whatever happens.
TEST_F(SilentServer, AWriteIsNotOvertakenByOneThatWasGivenUp) {
  server_.hold_writes(true);
  write(1);
  medium_->drain();
  EXPECT_EQ(action_, ErrorAction::Stop);
  ASSERT_TRUE(server_.holds_writes());
  write(2);
  for (int i = 0; i < 100 && told_ < 2; i++) {  // a server that does both at once needs much less
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    medium_->deliver();
  }
  server_.hold_writes(false);
  medium_->drain();
  EXPECT_EQ(told_, 2u);
  while (server_.holds_writes()) std::this_thread::yield();
  std::vector<u8> read(512);
  EXPECT_TRUE(medium_->read(0, read).ok());
  EXPECT_EQ(read, std::vector<u8>(512, 2));
}

TEST_F(SilentServer, TheEndDoesNotWait) {
  server_.be_silent(true);
  write(1);
  medium_.reset();
  EXPECT_EQ(told_, 0u);
}

TEST_F(SilentServer, AFlushDoesNotWait) {
  server_.be_silent(true);
  EXPECT_FALSE(medium_->flush().ok());
  server_.be_silent(false);
  EXPECT_TRUE(medium_->flush().ok());
}

}  // namespace
}  // namespace relic86
