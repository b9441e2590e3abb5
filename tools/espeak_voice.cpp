#include "espeak_voice.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "serene/io/file.h"

extern char** environ;

namespace serene::cli {
namespace {

constexpr const char* kProgram = "espeak-ng";
constexpr std::size_t kMostBytes = std::size_t{64} << 20, kMostText = 4000;
constexpr std::chrono::seconds kPatience{10};

Error fault(const std::string& problem) { return Error(ErrorCode::input, kProgram, problem); }

struct Pipe {
  std::array<int, 2> ends{-1, -1};

  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw fault("no pipe: " + errno_text(errno));
  }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_writer() {
    ::close(ends[1]);
    ends[1] = -1;
  }
};

// A running process; killed and waited for when the object goes before it has ended.
class Process {
 public:
  Process(const std::vector<std::string>& words, const Pipe& out, const Pipe& err) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
    const int failed = ::posix_spawnp(&pid_, words[0].c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT || failed == EACCES) {
      throw Error(ErrorCode::not_found, kProgram, "not installed, and no recorded voice fits")
          .hint("install espeak-ng, or give the folder of a corpus with --data");
    }
    if (failed != 0) throw fault("cannot be started: " + errno_text(failed));
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Exit status, or -1 for a process that a signal ended.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

// Appends what is there; false at the end of the stream.
bool drain(int fd, std::string& out) {
  std::array<char, 65536> block;
  const ssize_t got = ::read(fd, block.data(), block.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  out.append(block.data(), static_cast<std::size_t>(got));
  if (out.size() > kMostBytes) throw fault("speaks without end");
  return got > 0;
}

// Both streams of a process until they end.
std::array<std::string, 2> read_both(const Pipe& out, const Pipe& err) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::array<std::string, 2> texts;
  std::array<pollfd, 2> waiting{pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw fault("no answer within 10 s");
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
      throw fault("cannot be read: " + errno_text(errno));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (waiting[i].fd >= 0 && waiting[i].revents != 0 && !drain(waiting[i].fd, texts[i])) waiting[i].fd = -1;
      waiting[i].revents = 0;
    }
  }
  return texts;
}

std::uint32_t little_endian(const std::string& bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)])) << (8 * i);
  }
  return value;
}

// 16-bit mono WAV as a stream: the sizes in its header are unknown to its writer, so samples go on to the end.
SpokenClip parse_wav(const std::string& wav) {
  SpokenClip clip;
  if (wav.size() < 44 || wav.compare(0, 4, "RIFF") != 0 || wav.compare(8, 4, "WAVE") != 0) throw fault("gives no WAV");
  std::size_t at = 12;
  while (at + 8 <= wav.size()) {
    const std::size_t size = little_endian(wav, at + 4, 4);
    const std::string name = wav.substr(at, 4);
    at += 8;
    if (name == "data") break;
    if (size > wav.size() - at) throw fault("gives a broken WAV");
    if (name == "fmt " && size >= 16) {
      const bool pcm16 =
          little_endian(wav, at, 2) == 1 && little_endian(wav, at + 2, 2) == 1 && little_endian(wav, at + 14, 2) == 16;
      if (!pcm16) throw fault("gives a WAV that is not 16 bit mono");
      clip.rate_hz = static_cast<int>(little_endian(wav, at + 4, 4) & 0xfffff);
    }
    at += size + (size & 1);
  }
  for (; at + 2 <= wav.size(); at += 2) {
    const auto sample = static_cast<std::int16_t>(little_endian(wav, at, 2));
    clip.samples.push_back(static_cast<float>(sample) / 32768.0f);
  }
  if (clip.rate_hz < 1000 || clip.samples.empty()) throw fault("gives no sound");
  return clip;
}

// One argument without control characters; espeak-ng reads [[...]] as phonemes, which do no harm.
std::string speakable(const std::string& text) {
  std::string out = text.substr(0, kMostText);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  }
  return out;
}

}  // namespace

EspeakVoice voice_in_emotion(const std::string& name, const std::string& emotion) {
  static const std::map<std::string, EspeakVoice> styles = {
      {"angry", {"", 68, 205, 190}}, {"disgust", {"", 38, 140, 115}}, {"fearful", {"", 82, 210, 85}},
      {"happy", {"", 75, 185, 140}}, {"sad", {"", 28, 120, 55}},      {"surprised", {"", 90, 175, 145}},
      {"calm", {"", 42, 145, 80}},   {"boredom", {"", 32, 130, 75}},  {"neutral", {"", 50, 165, 100}},
  };
  const auto found = styles.find(emotion);
  EspeakVoice voice = found == styles.end() ? EspeakVoice{} : found->second;
  voice.name = name;
  return voice;
}

SpokenClip speak(const EspeakVoice& voice, const std::string& text) {
  Pipe out, err;
  Process process(
      {kProgram, "-v", voice.name, "-p", std::to_string(voice.pitch), "-s", std::to_string(voice.words_per_minute),
       "-a", std::to_string(voice.amplitude), "--stdout", "--", speakable(text)},
      out, err);
  out.close_writer();
  err.close_writer();
  const auto texts = read_both(out, err);
  const int status = process.wait();
  if (status == 127) throw Error(ErrorCode::not_found, kProgram, "not installed").hint("install espeak-ng");
  if (status != 0)
    throw fault("fails with voice \"" + voice.name + "\": " + printable(texts[1].substr(0, texts[1].find('\n'))));
  SpokenClip clip = parse_wav(texts[0]);
  clip.name = std::string(kProgram) + " " + voice.name;
  return clip;
}

}  // namespace serene::cli
