#include "base/socket_file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace relic86 {
namespace {

TEST(SocketFile, OnlyASocketGivesItsPlaceAway) {
  const std::string path = ::testing::TempDir() + "socket_file_test";
  std::filesystem::remove(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(server);
  remove_socket(path);
  EXPECT_FALSE(std::filesystem::exists(path));

  std::ofstream(path) << "the user's";
  remove_socket(path);
  EXPECT_EQ(std::filesystem::file_size(path), 10u);
  const std::string link = path + ".link";
  std::filesystem::remove(link);
  std::filesystem::create_symlink(path, link);
  remove_socket(link);
  EXPECT_TRUE(std::filesystem::exists(link));
  std::filesystem::remove(link);
  std::filesystem::remove(path);
  remove_socket(path);  // nothing there
}

}  // namespace
}  // namespace relic86
