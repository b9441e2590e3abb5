#include "serene/server/history.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "call_log.h"
#include "serene/core/sha256.h"
#include "temp_folder.h"

using namespace serene;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t now_s = 1795442700;  // 2026-11-23T14:05:00Z

class Folder : public test::TempFolder {
 public:
  std::string file(const std::string& name = "calls.sqlite") const { return *this / name; }
};

HistoryOptions options(bool write = true, int keep_days = 0) { return {write, keep_days, now_s}; }

CallRecord call(const std::string& id, const std::string& started_at = "2026-11-23T14:05:00Z") {
  CallRecord record;
  record.id = id, record.title = "secret title of " + id, record.started_at = started_at;
  record.source = "test", record.model = "m", record.consent = "assumed";
  record.lines = test::angry_minute().lines;
  return record;
}

std::string bytes_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Everything that lies on disk for this history.
std::string all_bytes(const std::string& path) {
  return bytes_of(path) + bytes_of(path + "-wal") + bytes_of(path + "-shm");
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void make_database(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace

TEST_CASE("history: what goes in comes out") {
  const Folder folder;
  CallRecord record = call("a-1");
  record.truth = Json::array({Json{{"leg", "customer"}}});
  {
    History history(folder.file(), options());
    CallRecord head = record;
    head.lines.resize(3);
    history.begin(head);
    history.append("a-1", std::span(record.lines).subspan(3));
    CHECK(history.get("a-1").reason == "");  // it runs
    history.end("a-1", "hang_up");
    history.begin(call("b", "2026-11-20T08:00:00Z"));
  }
  const History history(folder.file(), options(false));
  const CallRecord back = history.get("a-1");
  CHECK(back.lines == record.lines);
  CHECK(back.truth == record.truth);
  CHECK(back.title == record.title);
  CHECK(back.reason == "hang_up");
  const auto list = history.list();
  REQUIRE(list.size() == 2);
  CHECK(list[0].header.id == "a-1");
  CHECK(list[0].duration_ms == 60000);
  CHECK(list[0].events == static_cast<std::int64_t>(record.lines.size()));
  CHECK(history.list({"2026-11-20", "2026-11-20", 0}).size() == 1);
  CHECK(history.list({"2026-11-21", "", 0}).size() == 1);
  CHECK(history.list({"", "", 1}).size() == 1);
  CHECK(has(test::error_of([&] { history.list({"soon", "", 0}); }), "since"));
  CHECK(has(test::error_of([&] { history.get("x"); }), "x: no such call"));
  struct stat info {};
  REQUIRE(::stat(folder.file().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("history: a call without an end is dropped after a while") {
  const Folder folder;
  History(folder.file(), options()).begin(call("a"));
  HistoryOptions later = options(false);
  later.now_s += 600;
  CHECK(History(folder.file(), later).list()[0].header.reason == "dropped");
}

TEST_CASE("history: a killed process loses nothing that was appended") {
  const Folder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    History history(folder.file(), options());
    CallRecord head = call("killed");
    const std::vector<std::string> lines = head.lines;
    head.lines.clear();
    history.begin(head);
    for (std::size_t i = 0; i < 10; ++i) history.append("killed", std::span(lines).subspan(i, 1));
    char byte = 'r';
    if (::write(ready[1], &byte, 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]), ::close(ready[1]);
  History history(folder.file(), options());
  CHECK(history.get("killed").lines.size() == 10);
  history.begin(call("next"));
  CHECK(history.list().size() == 2);
}

TEST_CASE("history: two writers at once") {
  const Folder folder;
  const auto writer = [&](const std::string& id) {
    History history(folder.file(), options());
    CallRecord head = call(id);
    const std::vector<std::string> lines = head.lines;
    head.lines.clear();
    history.begin(head);
    for (int i = 0; i < 100; ++i)
      history.append(id, std::span(lines).subspan(static_cast<std::size_t>(i) % lines.size(), 1));
    history.end(id, "finished");
  };
  std::thread one(writer, "one"), two(writer, "two");
  one.join(), two.join();
  const History history(folder.file(), options(false));
  CHECK(history.get("one").lines.size() == 100);
  CHECK(history.get("two").lines.size() == 100);
}

TEST_CASE("history: a purged call leaves no bytes behind") {
  const Folder folder;
  History history(folder.file(), options());
  for (int i = 0; i < 20; ++i) history.begin(call("kept-" + std::to_string(i)));
  // Two calls that grow side by side share pages.
  CallRecord gone = call("gone-call"), stays = call("stays");
  gone.lines.clear(), stays.lines.clear();
  history.begin(gone), history.begin(stays);
  for (int i = 0; i < 300; ++i) {
    const std::vector<std::string> a{"{\"t_ms\":1,\"x\":\"gone-call says this\"}"},
        b{"{\"t_ms\":1,\"x\":\"stays says that\"}"};
    history.append("gone-call", a), history.append("stays", b);
  }
  history.note_export(std::vector<std::string>{"gone-call"}, "json");
  CHECK(has(all_bytes(folder.file()), "gone-call"));
  CHECK(history.purge(std::vector<std::string>{"gone-call", "gone-call"}) == 1);
  CHECK_FALSE(has(all_bytes(folder.file()), "gone-call"));
  CHECK(has(all_bytes(folder.file()), "stays says that"));
  CHECK(history.get("stays").lines.size() == 300);
  const auto audit = history.audit();
  REQUIRE(audit.size() == 2);
  CHECK(audit[0].action == "export json");
  CHECK(audit[1].action == "purge");
  CHECK(audit[1].id_hashes == std::vector<std::string>{sha256_hex(std::string_view("gone-call"))});
  const std::vector<std::string> unknown{"stays", "nobody"};
  CHECK(has(test::error_of([&] { history.purge(unknown); }), "nobody"));
  CHECK(history.list().size() == 21);
  CHECK(history.purge_all() == 21);
  CHECK_FALSE(has(all_bytes(folder.file()), "secret title"));
}

TEST_CASE("history: old calls go when the history is opened for writing") {
  const Folder folder;
  {
    History history(folder.file(), options());
    history.begin(call("old", "2026-10-01T00:00:00Z"));
    history.begin(call("new", "2026-11-01T00:00:00Z"));
  }
  CHECK(History(folder.file(), options(false, 30)).list().size() == 2);  // reading changes nothing
  CHECK(History(folder.file(), options(true, 0)).list().size() == 2);
  History history(folder.file(), options(true, 30));
  CHECK(history.purged_on_opening() == 1);
  CHECK(history.list()[0].header.id == "new");
  CHECK_FALSE(has(all_bytes(folder.file()), "title of old"));
  CHECK(history.audit()[0].action == "purge older than 30 days");
  CHECK(history.purge_older_than(22) == 1);
}

TEST_CASE("history: files that are not ours are refused and left alone") {
  const Folder folder;
  const auto refused = [&](const std::string& path) {
    const std::string before = fs::is_regular_file(path) ? bytes_of(path) : "";
    const std::string problem = test::error_of([&] { History(path, options()); });
    CHECK(has(problem, path));
    if (fs::is_regular_file(path)) CHECK(bytes_of(path) == before);
    CHECK(test::error_of([&] { History(path, options(false)); }) != "");
    return problem;
  };
  std::ofstream(folder.file("text")) << std::string(5000, 'x');
  CHECK(has(refused(folder.file("text")), "not a history"));
  make_database(folder.file("other"), "CREATE TABLE t (a)");
  CHECK(has(refused(folder.file("other")), "not a history"));
  make_database(folder.file("newer"),
                "PRAGMA application_id = 1397902897; PRAGMA user_version = 2; CREATE TABLE t (a)");
  CHECK(has(refused(folder.file("newer")), "newer"));
  make_database(folder.file("view"),
                "PRAGMA application_id = 1397902897; PRAGMA user_version = 1; CREATE VIEW event AS SELECT 1");
  CHECK(has(refused(folder.file("view")), "not a history"));
  fs::create_directory(folder.file("folder"));
  CHECK(has(refused(folder.file("folder")), "is a folder"));
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(has(refused(folder.file("pipe")), "regular"));
  CHECK(has(test::error_of([&] { History("/proc/serene/calls.sqlite", options()); }), "/proc/serene"));
  CHECK(has(test::error_of([&] { History(folder.file("none"), options(false)); }), "no history"));
  CHECK_FALSE(fs::exists(folder.file("none")));
}

TEST_CASE("history: a damaged file is an error, not a crash") {
  const Folder folder;
  {
    History history(folder.file(), options());
    for (int i = 0; i < 30; ++i) history.begin(call("call-" + std::to_string(i)));
  }
  const std::string good = bytes_of(folder.file());
  for (std::size_t at = 100; at < good.size(); at += 997) {
    std::string bad = good;
    for (std::size_t i = at; i < std::min(at + 64, bad.size()); ++i) bad[i] = static_cast<char>(bad[i] ^ 0x5a);
    std::ofstream(folder.file("bad"), std::ios::binary) << bad;
    test::error_of([&] {
      const History history(folder.file("bad"), options(false));
      for (const HistoryEntry& e : history.list()) history.get(e.header.id);
    });
  }
  CHECK(good.size() > 4096);
}

TEST_CASE("history: records that cannot be kept are refused") {
  const Folder folder;
  History history(folder.file(), options());
  history.begin(call("a"));
  CHECK(has(test::error_of([&] { history.begin(call("a")); }), "already"));
  for (const char* id : {"", "../up", "a b", ".hidden", "x'; DROP TABLE call; --"}) {
    CHECK(has(test::error_of([&] { history.begin(call(id)); }), "id"));
  }
  CHECK(has(test::error_of([&] { history.begin(call("b", "yesterday")); }), "started_at"));
  const std::vector<std::string> broken{"{}", "\xff"};
  CHECK(has(test::error_of([&] { history.append("a", broken); }), "UTF-8"));
  CHECK(history.get("a").lines == test::angry_minute().lines);  // the whole batch was refused
  CHECK(has(test::error_of([&] { history.append("none", {}); }), "no such call"));
  CHECK(has(test::error_of([&] { history.end("none", "finished"); }), "no such call"));
}
