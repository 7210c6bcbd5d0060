#include "machine/saved_machine.h"

#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "machine/host_time.h"
#include "tests/boot/boot_machine.h"

namespace relic86 {
namespace {

using test::BootMachine;
using test::make_disk;

constexpr double kEnd = 2.0;  // guest seconds

struct SavedMachine : ::testing::Test {
  std::vector<std::string> with_disk(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"-hda", disk};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Boots from the disk, saves the machine as "tag" at this frame, goes on until kEnd; the hash at the end.
  u64 run_and_save(const std::vector<std::string>& arguments, unsigned at_frame = 60) {
    BootMachine machine(arguments, kEnd);
    machine.at_frames({at_frame}, [&](unsigned) {
      const auto saved = save_machine(*machine, "tag");
      EXPECT_TRUE(saved.ok()) << saved.message();
    });
    machine->run();
    return machine->state_hash();
  }
  std::string refusal(const std::vector<std::string>& arguments) {
    BootMachine machine(arguments, kEnd);
    const u64 before = machine->state_hash();
    const auto loaded = load_machine(*machine, "tag");
    EXPECT_FALSE(loaded.ok());
    EXPECT_EQ(machine->state_hash(), before) << loaded.message();
    return loaded.message();
  }
  std::string files() const {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      text += entry.path().filename().string() + "\n";
    return text;
  }
  test::TemporaryFolder folder;
  std::string disk = make_disk(folder);
};

TEST_F(SavedMachine, TwoCountedRunsAreTheSame) {
  const std::string second = make_disk(folder, "second.img");
  BootMachine a(with_disk(), kEnd), b({"-hda", second}, kEnd);
  EXPECT_EQ(a->run(), End::TimeUp);
  // Host time must not matter: the other one is served at other moments, and rendered.
  b->on_frame([&] {
    Frame frame;
    b->board().render(frame);
    const i64 until = host_monotonic_ns() + 300'000;
    while (host_monotonic_ns() < until) continue;
  });
  EXPECT_EQ(b->run(), End::TimeUp);
  EXPECT_EQ(a.state(), b.state());
  EXPECT_EQ(a->state_hash(), b->state_hash());
}

TEST_F(SavedMachine, EndsLikeOneThatWasNotSaved) {
  u64 unsaved = 0;
  std::string final_disk;
  {
    BootMachine machine(with_disk(), kEnd);
    machine->run();
    unsaved = machine->state_hash();
    final_disk = folder.read("disk.img");
  }
  make_disk(folder);
  std::vector<std::vector<u8>> states;
  std::vector<std::string> disks;
  const std::vector<unsigned> frames = {3, 20, 45, 61, 80, 100};  // BIOS, boot sector, disk writes
  {
    BootMachine machine(with_disk(), kEnd);
    machine.at_frames(frames, [&](unsigned frame) {
      const auto saved = save_machine(*machine, "at" + std::to_string(frame));
      EXPECT_TRUE(saved.ok()) << saved.message();
      states.push_back(machine.state());
      disks.push_back(folder.read("disk.img"));
    });
    machine->run();
    EXPECT_EQ(machine->state_hash(), unsaved);
    EXPECT_EQ(folder.read("disk.img"), final_disk);
  }
  ASSERT_EQ(states.size(), frames.size());
  EXPECT_NE(disks.back(), disks.front());
  // Not in the order of time: disks go back and forth.
  for (const std::size_t i : {2u, 5u, 0u, 4u, 1u, 3u, 2u}) {
    BootMachine machine(with_disk(), kEnd);
    const auto loaded = load_machine(*machine, "at" + std::to_string(frames[i]));
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    EXPECT_EQ(machine.state(), states[i]);
    EXPECT_EQ(folder.read("disk.img"), disks[i]);
    machine->run();
    EXPECT_EQ(machine->state_hash(), unsaved) << frames[i];
    EXPECT_EQ(folder.read("disk.img"), final_disk) << frames[i];
  }
}

TEST_F(SavedMachine, VirtioDevicesGoOn) {
  const std::vector<std::string> arguments = {"-drive",  "if=virtio,file=" + disk, "-device", "virtio-net-pci",
                                              "-device", "virtio-rng-pci",         "-device", "virtio-balloon-pci",
                                              "-device", "virtio-serial-pci",      "-device", "virtconsole"};
  const std::string before = folder.read("disk.img");
  const u64 expected = run_and_save(arguments);
  const std::string final_disk = folder.read("disk.img");
  EXPECT_NE(final_disk, before);
  BootMachine machine(arguments, kEnd);
  const auto loaded = load_machine(*machine, "tag");
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_NE(folder.read("disk.img"), final_disk);
  machine->run();
  EXPECT_EQ(machine->state_hash(), expected);
  EXPECT_EQ(folder.read("disk.img"), final_disk);
}

TEST_F(SavedMachine, TheRunningMachineGoesBack) {
  const u64 expected = run_and_save(with_disk());
  BootMachine machine(with_disk(), kEnd);
  machine.at_frames({90}, [&](unsigned) {
    const auto loaded = load_machine(*machine, "tag");
    EXPECT_TRUE(loaded.ok()) << loaded.message();
    EXPECT_FALSE(machine->paused());
  });
  machine->run();
  EXPECT_EQ(machine->state_hash(), expected);
}

// What was being typed when the machine was saved does not go on for ever in the loaded one, whose time is another.
TEST_F(SavedMachine, NoKeyStaysDown) {
  BootMachine machine(with_disk(), kEnd);
  const auto type = [&](const char* key) {
    EXPECT_TRUE(machine->keys().send(key, 60'000'000'000).ok());
    machine->keys().advance(machine->clock().now());
    machine->keys().advance(machine->clock().now() +
                            10'000'000'000);  // the guest does not read: in the end it is typed
  };
  machine.at_frames({60, 90}, [&](unsigned frame) {
    if (frame == 60) {
      type("a");
      EXPECT_TRUE(machine->board().keyboard().pressed(KeyCode::A));
      ASSERT_TRUE(save_machine(*machine, "tag").ok());
    } else {
      ASSERT_TRUE(load_machine(*machine, "tag").ok());
      EXPECT_FALSE(machine->board().keyboard().pressed(KeyCode::A));
      type("b");
      EXPECT_TRUE(machine->board().keyboard().pressed(KeyCode::B));
    }
  });
  machine->run();
}

TEST_F(SavedMachine, StaysLoadableWhenAnotherRunWritesTheDisk) {
  const u64 expected = run_and_save(with_disk());
  {
    BootMachine machine(with_disk(), kEnd);  // boots anew, and writes
    machine->run();
  }
  BootMachine machine(with_disk(), kEnd);
  const auto loaded = load_machine(*machine, "tag");
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  machine->run();
  EXPECT_EQ(machine->state_hash(), expected);
}

TEST_F(SavedMachine, SnapshotDisksAreSavedWhole) {
  const std::string image = folder.read("disk.img");
  const u64 expected = run_and_save(with_disk({"-snapshot"}));
  EXPECT_EQ(folder.read("disk.img"), image);
  {
    BootMachine machine(with_disk({"-snapshot"}), kEnd);
    const auto loaded = load_machine(*machine, "tag");
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    machine->run();
    EXPECT_EQ(machine->state_hash(), expected);
  }
  EXPECT_NE(refusal(with_disk()).find("start with -snapshot"), std::string::npos);
}

TEST_F(SavedMachine, LoadsIntoAnOverlayOfTheImage) {
  const u64 expected = run_and_save(with_disk());
  const std::string image = folder.read("disk.img");
  BootMachine machine(with_disk({"-snapshot"}), kEnd);
  const auto loaded = load_machine(*machine, "tag");
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  machine->run();
  EXPECT_EQ(machine->state_hash(), expected);
  EXPECT_EQ(folder.read("disk.img"), image);
}

TEST_F(SavedMachine, RefusesOtherOptionsAndImages) {
  run_and_save(with_disk());
  EXPECT_NE(refusal(with_disk({"-m", "8"})).find("memory=4 MiB, this machine has memory=8 MiB"), std::string::npos);
  EXPECT_NE(refusal(with_disk({"-cpu", "486"})).find("processor="), std::string::npos);
  EXPECT_NE(refusal(with_disk({"-hdb", make_disk(folder, "other.img")})).find("ide0-1="), std::string::npos);
  const std::string image = folder.read("disk.img");
  std::string changed = image;
  changed[700000] = 'x';
  folder.write("disk.img", changed);
  const std::string message = refusal(with_disk());
  EXPECT_NE(message.find("disk.img"), std::string::npos) << message;
  EXPECT_NE(message.find("was changed"), std::string::npos) << message;
  std::filesystem::resize_file(disk, 2 << 20);
  EXPECT_NE(refusal(with_disk()).find("bytes"), std::string::npos);
}

TEST_F(SavedMachine, RefusesTagsThatAreNoNames) {
  BootMachine machine(with_disk(), kEnd);
  for (const std::string tag : {"", "../x", ".x", "-x", "a\nb"}) {
    EXPECT_FALSE(save_machine(*machine, tag).ok()) << tag;
    EXPECT_FALSE(load_machine(*machine, tag).ok()) << tag;
    EXPECT_FALSE(delete_saved_machine(*machine, tag).ok()) << tag;
  }
  EXPECT_NE(load_machine(*machine, "none").message().find("not found"), std::string::npos);
  EXPECT_EQ(files(), "disk.img\n");
}

TEST_F(SavedMachine, ListsAndDeletes) {
  run_and_save(with_disk());
  run_and_save(with_disk());  // in place of the first one
  BootMachine machine(with_disk(), kEnd);
  EXPECT_EQ(files().find(".relic86-"), files().rfind(".relic86-")) << files();  // one journal
  EXPECT_NE(describe_saved_machines(*machine).find("tag"), std::string::npos);
  EXPECT_NE(describe_saved_machines(*machine).find("00:00:00.98"), std::string::npos)
      << describe_saved_machines(*machine);
  EXPECT_TRUE(delete_saved_machine(*machine, "tag").ok());
  EXPECT_EQ(files(), "disk.img\n");
  EXPECT_EQ(describe_saved_machines(*machine), "There is no snapshot available.\n");
}

TEST_F(SavedMachine, AFullHostDiskLeavesNothingBehind) {
  BootMachine machine(with_disk({"--state-dir", folder.path()}), kEnd);
  const u64 before = machine->state_hash();
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{20'000, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto saved = save_machine(*machine, "tag");
  setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(saved.ok());
  EXPECT_NE(saved.message().find("tag.relic86: writing failed"), std::string::npos) << saved.message();
  EXPECT_EQ(files(), "disk.img\n");
  EXPECT_EQ(machine->state_hash(), before);
  EXPECT_FALSE(save_machine(*BootMachine({"--state-dir", "/nonexistent"}, kEnd), "tag").ok());
}

TEST_F(SavedMachine, DamagedFilesAreRefused) {
  run_and_save(with_disk());
  const std::string file = folder.read("tag.relic86");
  const auto message_for = [&](const std::string& content) {
    folder.write("tag.relic86", content);
    return refusal(with_disk());
  };
  EXPECT_NE(message_for("").find("not a machine saved by relic86"), std::string::npos);
  EXPECT_NE(message_for(std::string(5000, 'x')).find("not a machine saved by relic86"), std::string::npos);
  std::string newer = file;
  newer[8] = 2;
  EXPECT_NE(message_for(newer).find("format 2"), std::string::npos);
  EXPECT_NE(message_for(file + "x").find("damaged"), std::string::npos);
  std::mt19937 random(1);
  for (int i = 0; i < 12; i++)
    EXPECT_NE(message_for(file.substr(0, 16 + random() % (file.size() - 17))).find("cut short"), std::string::npos);
  for (int i = 0; i < 24; i++) {
    std::string flipped = file;
    flipped[16 + random() % (i % 2 == 0 ? 1500 : flipped.size() - 16)] ^= static_cast<char>(1 << random() % 8);
    EXPECT_FALSE(message_for(flipped).empty());
  }
  folder.write("tag.relic86", file);
  BootMachine machine(with_disk(), kEnd);
  EXPECT_TRUE(load_machine(*machine, "tag").ok());
}

// A file that somebody made on purpose: its checksums are right.
void repair_checksums(std::string& file) {
  constexpr std::size_t kPiece = 1 << 20;
  for (std::size_t at = 16; at + 24 <= file.size();) {
    u64 length = 0;
    std::memcpy(&length, file.data() + at + 8, sizeof length);
    if (length > file.size() - at - 24) return;
    StateHasher hasher;
    for (u64 done = 0; done < length; done += kPiece) {
      hasher.mix({reinterpret_cast<const u8*>(file.data()) + at + 24 + done, std::min<u64>(kPiece, length - done)});
    }
    const u64 hash = hasher.hash();
    std::memcpy(file.data() + at + 16, &hash, sizeof hash);
    at += 24 + length;
  }
}

TEST_F(SavedMachine, CraftedFilesDoNotHurt) {
  run_and_save(with_disk({"-snapshot"}));
  const std::string file = folder.read("tag.relic86");
  std::mt19937 random(2);
  unsigned loaded = 0;
  for (int i = 0; i < 30; i++) {
    std::string crafted = file;
    for (unsigned n = 1 + random() % 4; n > 0; n--) {
      // The structure at the sections' beginnings, the compressed pages, the drives at the end.
      const std::size_t window = std::min<std::size_t>(crafted.size() - 16, i % 3 == 0 ? 600 : crafted.size() - 16);
      const std::size_t place = i % 3 == 2 ? crafted.size() - 1 - random() % 3000 : 16 + random() % window;
      crafted[place] = static_cast<char>(random());
    }
    repair_checksums(crafted);
    folder.write("tag.relic86", crafted);
    BootMachine machine(with_disk({"-snapshot"}), 1.05);
    if (load_machine(*machine, "tag").ok()) loaded++;
    machine->run();
  }
  EXPECT_LT(loaded, 30u);
}

// Every value of the machine's state may be anything: the machine runs on, or the field is refused.
TEST_F(SavedMachine, AnyStateRuns) {
  std::vector<std::vector<u8>> states;
  {
    BootMachine machine(with_disk({"-snapshot"}), kEnd);
    machine.at_frames({10, 50, 70}, [&](unsigned) { states.push_back(machine.state()); });
    machine->run();
  }
  std::mt19937 random(3);
  constexpr double kEnds[] = {0.18, 0.85, 1.18};  // soon: garbage that modifies itself is slow
  for (std::size_t i = 0; i < 60; i++) {
    std::vector<u8> bytes = states[i % states.size()];
    const unsigned share = i % 2 == 0 ? 100 : 3;  // one field of so many is changed
    for (std::size_t at = 0; at < bytes.size();) {
      u16 name_size = 0;
      u32 size = 0;
      std::memcpy(&name_size, &bytes[at], sizeof name_size);
      const std::string name(reinterpret_cast<const char*>(&bytes[at + 2]), name_size);
      std::memcpy(&size, &bytes[at + 2 + name_size], sizeof size);
      at += 6u + name_size;
      // The time itself decides when the run ends.
      if (random() % share == 0 && name != "clock.time" && name != "cpu.instruction_count" && name != "powered_off") {
        for (u32 n = 0; n < size; n++) {
          if (random() % 2 == 0) bytes[at + n] = random() % 4 == 0 ? 0xFF : static_cast<u8>(random());
        }
      }
      at += size;
    }
    auto reader = StateReader::parse(bytes);
    ASSERT_TRUE(reader.ok());
    BootMachine machine(with_disk({"-snapshot"}), kEnds[i % states.size()]);
    machine->state(reader.value());
    machine->after_load();
    EXPECT_FALSE(machine.state().empty());
    machine->run();
  }
}

TEST_F(SavedMachine, LinuxGoesOn) {
  const char* cache = std::getenv("RELIC86_CACHE");  // as scripts/guests has it
  const std::string linux_folder = std::string(cache != nullptr ? cache : RELIC86_DEFAULT_CACHE) + "/guests/linux";
  if (!std::filesystem::exists(linux_folder + "/vmlinuz")) GTEST_SKIP() << "scripts/demo has not downloaded it";
  const std::vector<std::string> arguments = {"-m",          "128",
                                              "-kernel",     linux_folder + "/vmlinuz",
                                              "-initrd",     linux_folder + "/initrd.gz",
                                              "-append",     "console=ttyS0",
                                              "--state-dir", folder.path()};
  constexpr double kLinuxEnd = 14;
  u64 expected = 0;
  {
    BootMachine machine(arguments, kLinuxEnd);
    machine.at_frames({200}, [&](unsigned) { EXPECT_TRUE(save_machine(*machine, "tag").ok()); });
    machine->run();
    expected = machine->state_hash();
  }
  BootMachine machine(arguments, kLinuxEnd);
  ASSERT_TRUE(load_machine(*machine, "tag").ok());
  machine->run();
  EXPECT_EQ(machine->state_hash(), expected);
}

// A machine saved within an SMI handler goes on in SMRAM, and leaves it as the other one does.
TEST_F(SavedMachine, InSystemManagementMode) {
  const std::string waiting = make_disk(folder, "smm.img", "smm_wait.bin");
  const std::vector<std::string> arguments = {"-hda", waiting, "-device", "isa-debug-exit"};
  u64 expected = 0;
  {
    BootMachine machine(arguments, 20);
    bool saved = false;
    machine->on_frame([&] {
      if (saved || !machine->cpu().state().in_smm || machine->cpu().state().smbase != 0xA0000) return;
      saved = true;
      const auto done = save_machine(*machine, "tag");
      EXPECT_TRUE(done.ok()) << done.message();
    });
    EXPECT_EQ(machine->run(), End::DebugExit);
    EXPECT_TRUE(saved);
    EXPECT_EQ(machine->exit_code(), 0x43);
    expected = machine->state_hash();
  }
  BootMachine machine(arguments, 20);
  ASSERT_TRUE(load_machine(*machine, "tag").ok());
  EXPECT_TRUE(machine->cpu().state().in_smm);
  EXPECT_EQ(machine->run(), End::DebugExit);
  EXPECT_EQ(machine->exit_code(), 0x43);
  EXPECT_EQ(machine->state_hash(), expected);
}

// --- Ends of counted runs ---

TEST_F(SavedMachine, CountedTimeIsUp) {
  BootMachine machine(with_disk(), 0.5);
  EXPECT_EQ(machine->run(), End::TimeUp);
  EXPECT_EQ(machine->exit_code(), 4);
  EXPECT_NEAR(static_cast<double>(machine->clock().now()), 0.5e9, 100);
}

TEST_F(SavedMachine, CountedRunEndsByDebugExit) {
  BootMachine machine(with_disk({"-device", "isa-debug-exit"}), 2000);
  EXPECT_EQ(machine->run(), End::DebugExit);
  EXPECT_EQ(machine->exit_code(), 0x43);
}

TEST_F(SavedMachine, CountedRunEndsByExpectation) {
  BootMachine seen(with_disk({"--expect-screen", "Booting from Hard"}), 20);
  EXPECT_EQ(seen->run(), End::ExpectationsMet);
  EXPECT_EQ(seen->exit_code(), 0);
}

}  // namespace
}  // namespace relic86
