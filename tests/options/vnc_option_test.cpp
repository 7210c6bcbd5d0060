// -vnc and -display vnc=.
#include <gtest/gtest.h>

#include "options/options.h"

namespace relic86 {
namespace {

Options parsed(std::vector<std::string> words) {
  auto line = parse_command_line(words);
  EXPECT_TRUE(line.ok()) << (line.ok() ? "" : line.message());
  return line.ok() ? line.value().options : Options();
}
std::string refusal(std::vector<std::string> words) {
  const auto line = parse_command_line(words);
  EXPECT_FALSE(line.ok()) << words.back();
  return line.ok() ? "" : line.message();
}

TEST(VncOption, NamesWhereToListen) {
  const Options plain = parsed({"-vnc", ":1"});
  ASSERT_TRUE(plain.vnc);
  EXPECT_EQ(plain.vnc->host, "");
  EXPECT_EQ(plain.vnc->port, 5901u);
  EXPECT_EQ(plain.display, "none");  // no window beside it
  EXPECT_EQ(parsed({"-display", "sdl", "-vnc", ":1"}).display, "sdl");
  EXPECT_EQ(parsed({"-vnc", "[::1]:3"}).vnc->host, "::1");
  EXPECT_EQ(parsed({"-display", "vnc=box:2,to=9"}).vnc->host, "box");
  EXPECT_EQ(parsed({"-display", "vnc=box:2,to=9"}).vnc->to, 5909u);
  EXPECT_EQ(parsed({"-vnc", "unix:/tmp/x"}).vnc->path, "/tmp/x");
  EXPECT_EQ(parsed({"-vnc", "unix:/tmp/x=1=,,2,share=ignore"}).vnc->path, "/tmp/x=1=,2");
  EXPECT_EQ(parsed({"-vnc", "vnc=unix:/tmp/x=1"}).vnc->path, "/tmp/x=1");
  EXPECT_EQ(parsed({"-vnc", "box:5500,reverse=on"}).vnc->port, 5500u);
  EXPECT_FALSE(parsed({"-vnc", "none"}).vnc);
  // As libvirt writes it.
  const Options virt = parsed({"-audiodev", "none,id=audio1", "-vnc", "127.0.0.1:0,websocket=5700,audiodev=audio1"});
  EXPECT_EQ(virt.vnc->host, "127.0.0.1");
  ASSERT_TRUE(virt.vnc->web_socket);
  EXPECT_EQ(virt.vnc->web_socket->port, 5700u);
  EXPECT_EQ(parsed({"-vnc", "box:1,websocket"}).vnc->web_socket->host, "box");
  EXPECT_FALSE(parsed({"-vnc", ":1,websocket=off"}).vnc->web_socket);
}

TEST(VncOption, SaysWhoIsLetIn) {
  const Options options = parsed({"-object", "secret,id=s,data=x", "-vnc",
                                  ":1,password-secret=s,share=force-shared,connections=3,lossy=on,non-adaptive,id=v"});
  EXPECT_TRUE(options.vnc->password);
  EXPECT_EQ(options.vnc->secret, "s");
  EXPECT_EQ(options.vnc->sharing, VncOption::Sharing::ForceShared);
  EXPECT_EQ(options.vnc->most_clients, 3u);
  EXPECT_EQ(options.vnc->id, "v");
}

TEST(VncOption, RefusesWhatItDoesNotUnderstand) {
  EXPECT_NE(refusal({"-vnc", "1"}).find("names no display"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":60000"}).find("names no display"), std::string::npos);
  EXPECT_NE(refusal({"-display", "vnc"}).find("names no display"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", "unix:"}).find("path is missing"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":1,pasword=on"}).find("the nearest is password"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":1,tls-creds=t"}).find("there is no TLS"), std::string::npos);
  EXPECT_EQ(refusal({"-display", "vnc=:1,tls-creds=t"}).find("-display vnc=:1,tls-creds=t: "), 0u);
  EXPECT_NE(refusal({"-vnc", ":1,sasl=on"}).find("known by a password at most"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":1,share=me"}).find("force-shared"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":1,password-secret=s"}).find("there is no secret 's'"), std::string::npos);
  EXPECT_NE(refusal({"-vnc", "unix:/tmp/x,websocket"}).find("write websocket=PORT"), std::string::npos);
  for (const char* web : {"websocket", "websocket=5701"}) {
    EXPECT_NE(refusal({"-vnc", std::string("box:5500,reverse=on,") + web}).find("leave websocket or reverse out"),
              std::string::npos);
    EXPECT_NE(refusal({"-vnc", std::string(web) + ",reverse=on"}).find("names no display"), std::string::npos);
  }
  EXPECT_NE(refusal({"-vnc", ":5,to=3"}).find("to="), std::string::npos);
  EXPECT_NE(refusal({"-vnc", ":1", "-vnc", ":2"}).find("there is one VNC server"), std::string::npos);
}

}  // namespace
}  // namespace relic86
